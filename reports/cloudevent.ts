/**
 * The result as a CloudEvent 1.0 in structured JSON (`application/cloudevents+json`), for a broker that others listen
 * to. It carries what a listener decides by; the whole verdict is in the bundle.
 */
import { CloudEvent } from 'cloudevents';
import { z } from 'zod';
import { LedgerCounts, Verdict, VerdictDocument } from '../evidence/verdict.ts';
import type { Outcome } from './bundle.ts';
import { goneCheck } from './gone.ts';

export const RUN_FINISHED = 'dev.faultline.run.finished';

/** `data` of the event. */
export const RunFinished = z.strictObject({
  version: z.literal(1),
  verdict: Verdict,
  /** At most 20. On a pass only that evidence went after it was judged (gone.ts). */
  reasons: z.array(z.string()),
  run: VerdictDocument.shape.run,
  /** Checks that count, by what came out; `informational` are in none of the others. */
  checks: z.strictObject({
    pass: z.number(),
    fail: z.number(),
    unknown: z.number(),
    error: z.number(),
    informational: z.number(),
  }),
  /** Ids of the checks that did not pass and count; at most 100. */
  notPassed: z.array(z.string()),
  /** The whole run's events; null: nothing was judged about them. */
  ledger: LedgerCounts.nullable(),
  recovery: VerdictDocument.shape.recovery,
});

export const ResultEvent = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.literal(RUN_FINISHED),
  subject: z.string().min(1),
  /** Start of the run plus its duration; absent when the start is not known. */
  time: z.iso.datetime().optional(),
  datacontenttype: z.literal('application/json'),
  data: RunFinished,
});
export type ResultEvent = z.infer<typeof ResultEvent>;

/**
 * Same bundle, same event: `id` is the run's, so that a broker may drop what it had already.
 * @throws ValidationError of `cloudevents` when it is no valid event; ZodError when its data does not match.
 */
export function resultEvent(outcome: Outcome): ResultEvent {
  const { id, verdict: v } = outcome;
  const gone = goneCheck(outcome);
  const checks = gone ? [gone, ...v.checks] : v.checks;
  const counted = checks.filter((c) => !c.informational);
  const of = (verdict: Verdict) => counted.filter((c) => c.verdict === verdict).length;
  const started = Date.parse(v.run.startedAt);
  const event = ResultEvent.parse({
    specversion: '1.0',
    id,
    source: `/faultline/targets/${encodeURIComponent(v.run.target)}`,
    type: RUN_FINISHED,
    subject: v.run.scenario,
    ...(Number.isNaN(started) ? {} : { time: new Date(started + v.run.durationMs).toISOString() }),
    datacontenttype: 'application/json',
    data: {
      version: 1,
      verdict: v.verdict,
      reasons: [...(gone ? [gone.message] : []), ...v.reasons].slice(0, 20),
      run: v.run,
      checks: {
        pass: of('pass'),
        fail: of('fail'),
        unknown: of('unknown'),
        error: of('error'),
        informational: checks.length - counted.length,
      },
      notPassed: counted
        .filter((c) => c.verdict !== 'pass')
        .map((c) => c.id)
        .slice(0, 100),
      ledger: v.ledger.find((l) => l.phase === 'run') ?? null,
      recovery: v.recovery,
    },
  });
  new CloudEvent(event, true);
  return event;
}

export const renderCloudEvent = (outcome: Outcome): string =>
  `${JSON.stringify(resultEvent(outcome), null, 2)}\n`;
