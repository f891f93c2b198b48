/** Keeps the traces of the requests that somebody will ask about: those that failed, and the slowest, of each stream and phase. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** @param store a Jaeger query service or a Tempo @throws Error when it can not be asked */
export async function collectTraces(
  plan: Plan,
  {
    store,
    requestsFile,
    outFile,
    clock,
  }: { store: HttpStore; requestsFile: string; outFile: string; clock: RunClock },
): Promise<TraceCount> {
  const wanted = await wantedTraces(plan, requestsFile);
  const spans = new Map<string, StoredSpan[]>();
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    for (const { traceId: id } of wanted)
      if (!spans.has(id)) {
        const found = await findTrace(store, id);
        if (found.length > 0) spans.set(id, found);
      }
    if (spans.size === wanted.length || performance.now() > deadline) break;
    await sleep(ASK_AGAIN_MS);
  }
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
  return { asked: wanted.length, found: spans.size };
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
