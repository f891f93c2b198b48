/** Keeps the traces of the requests that somebody will ask about: those that failed, and the slowest, of each stream and phase. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NoAnswerError } from '../../base/errors.ts';
import { traceId } from '../../base/event-id.ts';
import { Database, quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import type { RequestTrace } from '../../evidence/traces.ts';
import type { RunClock } from '../clock.ts';
import type { HttpStore } from './sources.ts';
import { findTrace, type StoredSpan } from './trace-stores.ts';

/** Of each stream and phase. */
const MOST_FAILED = 3;
const MOST_SLOW = 3;
/** Who sends spans does so in batches, and a store shows them a while later. */
const PATIENCE_MS = 10_000;
const ASK_AGAIN_MS = 1000;

type Wanted = Omit<RequestTrace, 'spans'>;

/** How many traces were asked for, and how many of them the store had. */
export interface TraceCount {
  asked: number;
  found: number;
}

/**
 * @param store a Jaeger query service or a Tempo
 * @returns `missing`: why there are some that the store gave no answer for; the others are written all the same
 * @throws Error when it can not be asked
 */
export async function collectTraces(
  plan: Plan,
  {
    store,
    requestsFile,
    outFile,
    clock,
    patienceMs = PATIENCE_MS,
  }: { store: HttpStore; requestsFile: string; outFile: string; clock: RunClock; patienceMs?: number },
): Promise<{ count: TraceCount; missing: string | undefined }> {
  const wanted = await wantedTraces(plan, requestsFile);
  const spans = new Map<string, StoredSpan[]>();
  const unanswered = new Set(wanted.map(({ traceId: id }) => id));
  const isSilent = () => unanswered.size === wanted.length;
  let failure: Error | undefined;
  const isAnswered = async (id: string): Promise<boolean> => {
    try {
      const found = await findTrace(store, id);
      unanswered.delete(id);
      if (found.length > 0) spans.set(id, found);
      return true;
    } catch (error) {
      // What is no store of traces does not become one; whoever is busy may answer yet.
      if (!(error instanceof NoAnswerError) && isSilent()) throw error;
      failure = error as Error;
      return false;
    }
  };
  const deadline = performance.now() + patienceMs;
  const isOver = () => performance.now() > deadline;
  for (;;) {
    for (const { traceId: id } of wanted) if (!spans.has(id) && !(await isAnswered(id)) && isOver()) break;
    if (spans.size === wanted.length || isOver()) break;
    await sleep(ASK_AGAIN_MS);
  }
  if (failure && isSilent()) throw failure;
  const lines = wanted.map(
    (one): RequestTrace => ({
      ...one,
      spans: (spans.get(one.traceId) ?? []).map(({ startUs, durationUs, ...span }) => ({
        ...span,
        startMs: startUs / 1000 - clock.originWallMs,
        durationMs: durationUs / 1000,
      })),
    }),
  );
  writeFileSync(outFile, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return {
    count: { asked: wanted.length, found: spans.size },
    missing:
      failure && unanswered.size > 0
        ? `${unanswered.size} of ${wanted.length} could not be asked for: ${failure.message}`
        : undefined,
  };
}

interface Row {
  stream: string;
  phase: string;
  event_id: string;
  failed: boolean;
  ms: number;
}

export async function wantedTraces(plan: Plan, requestsFile: string): Promise<Wanted[]> {
  using database = await Database.open();
  const rows = await database.rows<Row>(
    `SELECT stream, phase, event_id, outcome <> 'ok' AS failed, (done_us - intended_us) / 1000.0 AS ms
     FROM read_parquet(${quote(requestsFile)}) WHERE event_id IS NOT NULL AND done_us IS NOT NULL
     QUALIFY row_number() OVER (PARTITION BY stream, phase, outcome <> 'ok' ORDER BY done_us - intended_us DESC, event_id)
       <= CASE WHEN outcome <> 'ok' THEN ${MOST_FAILED} ELSE ${MOST_SLOW} END
     ORDER BY stream, min(intended_us) OVER (PARTITION BY stream, phase), failed DESC, ms DESC`,
  );
  return rows.flatMap(({ stream, phase, event_id, failed, ms }) => {
    const id = traceOf(plan, stream, event_id);
    return id === undefined
      ? []
      : [{ traceId: id, eventId: event_id, stream, phase, why: failed ? 'failed' : 'slowest', clientMs: ms }];
  });
}

/** Segment and number are the last two parts of the event's id (base/event-id.ts). */
function traceOf({ run, streams }: Plan, stream: string, eventId: string): string | undefined {
  const [segment, n] = eventId.split('.').slice(-2).map(Number);
  const index = streams.findIndex(({ name }) => name === stream);
  if (index < 0 || !Number.isInteger(segment) || !Number.isInteger(n)) return undefined;
  return traceId(run.id, index, segment as number, n as number);
}
