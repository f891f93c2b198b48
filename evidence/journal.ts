/**
 * `journal.ndjson`: every act and observation of a run, one JSON object a line, append-only, in the order of `seq`.
 * `t` is milliseconds on the monotonic clock since the journal was opened; readers rebase it to the entry `run.started`,
 * which is the run's origin (what comes before it, such as bringing the target up, is then negative). `wall` is the same
 * instant as ISO 8601 UTC.
 */
import { z } from 'zod';

const stamp = { seq: z.number().int(), t: z.number(), wall: z.string() };
const entry = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.strictObject({ ...stamp, type: z.literal(type), ...shape });

export const JournalEntry = z.discriminatedUnion('type', [
  entry('run.started', {}),
  /** `completed`: the whole timeline ran. `interrupted`: Ctrl-C. `aborted`: an abort condition held. `crashed`: the harness failed. */
  entry('run.ended', {
    outcome: z.enum(['completed', 'interrupted', 'aborted', 'crashed']),
    reason: z.string().optional(),
    blame: z.enum(['platform', 'evidence', 'harness']).optional(),
  }),
  entry('target.up', { seconds: z.number(), components: z.record(z.string(), z.string()) }),
  entry('target.down', { seconds: z.number() }),
  entry('phase.started', { phase: z.string() }),
  entry('phase.ended', { phase: z.string() }),
  /** The undo is durable on disk, or `undo` says what ends a fault that leaves nothing to undo; written before `fault.injecting`. */
  entry('fault.undo-recorded', { fault: z.string(), undo: z.string() }),
  /** What an act of the fault takes, as it was right before it; `pods`: namespace/name. */
  entry('fault.impact', {
    fault: z.string(),
    pods: z.array(z.string()),
    nodes: z.array(z.string()),
    workloads: z.array(z.strictObject({ name: z.string(), hit: z.number(), of: z.number() })),
  }),
  entry('fault.injecting', { fault: z.string() }),
  entry('fault.injected', { fault: z.string(), detail: z.string().optional() }),
  /** A probe that does not trust the injector saw the effect for the first time. */
  entry('fault.effect-seen', { fault: z.string(), probe: z.string(), detail: z.string() }),
  entry('fault.effect-not-seen', { fault: z.string(), probe: z.string(), detail: z.string() }),
  /** The probe looked again, a while later: it still saw the effect. */
  entry('fault.effect-held', { fault: z.string(), probe: z.string(), detail: z.string() }),
  /** It did not see it any more, though nobody reverted it. */
  entry('fault.effect-lost', { fault: z.string(), probe: z.string(), detail: z.string() }),
  entry('fault.reverting', { fault: z.string() }),
  entry('fault.reverted', { fault: z.string() }),
  entry('fault.effect-gone', { fault: z.string(), probe: z.string(), detail: z.string() }),
  entry('fault.effect-not-gone', { fault: z.string(), probe: z.string(), detail: z.string() }),
  entry('fault.audit', { fault: z.string(), clean: z.boolean(), leaks: z.array(z.string()) }),
  /**
   * `step`: inject, revert, probe; unfinished: the injector did not say in time that the fault is in place; guardrail: the user's guardrails did not allow an act, and it was not done; overtaken: the end of the
   * fault came before its injection was complete.
   */
  entry('fault.error', { fault: z.string(), step: z.string(), message: z.string() }),
  /** An undo that the cluster did not let go: its finalizers were removed. Of a fault: after its audit had found it. */
  entry('undo.forced', { fault: z.string().optional(), said: z.string() }),
  entry('load.started', { stream: z.string() }),
  entry('load.ended', { stream: z.string(), exitCode: z.number().nullable(), detail: z.string().optional() }),
  /** CPU share of the load generator over the last interval: 1 = one core. */
  entry('generator.sample', { cpu: z.number() }),
  /** CPU share of the harness's own processes over the last interval: 1 = one core. */
  entry('harness.sample', { cpu: z.number(), rssBytes: z.number() }),
  /** Share (0..1) of the machine's processor time over the last interval that others on the same hardware had. */
  entry('host.sample', { stolen: z.number() }),
  /** `container`: of a pod that has several. */
  entry('component.started', { component: z.string(), container: z.string().optional(), pid: z.number() }),
  entry('component.exited', {
    component: z.string(),
    container: z.string().optional(),
    pid: z.number(),
    code: z.number().nullable(),
    signal: z.string().nullable(),
    expected: z.boolean(),
  }),
  /**
   * A container that runs for the first time in this run: the image that was asked for, and the content that its node's runtime took for it
   * (a digest). Images of functions are not among them: the ledger asks the registry for what the builds say.
   */
  entry('image.ran', {
    component: z.string(),
    container: z.string(),
    image: z.string(),
    id: z.string(),
  }),
  entry('drain.started', { outstanding: z.number() }),
  entry('drain.ended', { outstanding: z.number(), timedOut: z.boolean() }),
  entry('abort', {
    condition: z.string(),
    message: z.string(),
    blame: z.enum(['platform', 'evidence', 'harness']),
  }),
  /** Evidence that should be in the bundle and is not: `what` is the file or query. */
  entry('evidence.missing', { what: z.string(), reason: z.string() }),
  /** Of how many requests the trace was asked for, and how many of these the store had. */
  entry('traces.collected', { asked: z.number(), found: z.number() }),
  /** Lines of log that Loki had; `whole`: that was all. */
  entry('logs.collected', { query: z.string(), lines: z.number(), whole: z.boolean() }),
  entry('audit', { clean: z.boolean(), leaks: z.array(z.string()) }),
]);
export type JournalEntry = z.infer<typeof JournalEntry>;
export type JournalType = JournalEntry['type'];

type WithoutStamp<T> = T extends unknown ? Omit<T, 'seq' | 't' | 'wall'> : never;
/** An entry before the journal stamps it. */
export type JournalFact = WithoutStamp<JournalEntry>;
