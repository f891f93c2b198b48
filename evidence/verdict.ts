/**
 * `verdict.json`: what the judge concluded, a pure function of the rest of the bundle. Same bundle, same bytes: no clock,
 * no host, no path in it; keys in the order of this schema; numbers rounded to 6 significant digits.
 */
import { z } from 'zod';

export const Verdict = z.enum(['pass', 'fail', 'unknown', 'error']);
export type Verdict = z.infer<typeof Verdict>;

/** Exit codes of the CLI. Source: DESIGN.md, "Four verdicts". */
export const EXIT_CODE: Record<Verdict, number> = { pass: 0, fail: 1, unknown: 2, error: 3 };

/** Where a number comes from, so that a person can get it again. */
export const Evidence = z.strictObject({
  file: z.string(),
  /** SQL (DuckDB, run in the bundle's directory), PromQL, or the journal entries that were read. */
  query: z.string(),
  window: z.strictObject({ phase: z.string().optional(), fromMs: z.number(), toMs: z.number() }).optional(),
  samples: z.number().optional(),
});
export type Evidence = z.infer<typeof Evidence>;

/** A value that could not be had is null, and the check's message says why. */
const num = z.number().nullable();

/** One thing that was judged. `id` is unique in a verdict, e.g. `objective/build-success/recovered`. */
export const Check = z.strictObject({
  id: z.string(),
  group: z.enum(['harness', 'load', 'fault', 'objective', 'alert', 'recovery', 'ledger', 'telemetry']),
  title: z.string(),
  verdict: Verdict,
  /** One sentence with the measured value, the bound, and for anything but pass the reason. */
  message: z.string(),
  informational: z.boolean(),
  evidence: z.array(Evidence),
});
export type Check = z.infer<typeof Check>;

export const ObjectiveResult = z.strictObject({
  checkId: z.string(),
  name: z.string(),
  title: z.string(),
  source: z.string(),
  phase: z.string(),
  verdict: Verdict,
  measured: num,
  op: z.string(),
  target: z.number(),
  unit: z.string(),
  samples: z.number(),
  /** For ratios: events that may be bad, that were bad, and bad ÷ allowed. */
  budget: z.strictObject({ allowed: z.number(), spent: z.number(), spentShare: num }).nullable(),
});

export const AlertResult = z.strictObject({
  checkId: z.string(),
  alert: z.string(),
  expect: z.enum(['must-fire', 'may-fire', 'must-not-fire']),
  fault: z.string().nullable(),
  verdict: Verdict,
  /** Intervals of one or more instances merged, ms since origin; `toMs` null: still so at the end. */
  pending: z.array(z.strictObject({ fromMs: z.number(), toMs: num })),
  firing: z.array(z.strictObject({ fromMs: z.number(), toMs: num })),
  delivered: z.array(z.strictObject({ t: z.number(), state: z.enum(['firing', 'resolved']) })),
  /** Effect seen -> firing in Prometheus, ms. */
  detectionMs: num,
  /** Effect seen -> delivered to the receiver, ms. */
  deliveryMs: num,
  /** Effect gone -> inactive, ms. */
  clearMs: num,
});

export const FaultResult = z.strictObject({
  checkId: z.string(),
  name: z.string(),
  kind: z.string(),
  verdict: Verdict,
  injectedMs: num,
  effectSeenMs: num,
  revertedMs: num,
  effectGoneMs: num,
  auditClean: z.boolean().nullable(),
  detail: z.string(),
});

export const RecoveryResult = z.strictObject({
  checkId: z.string(),
  name: z.string(),
  fault: z.string(),
  verdict: Verdict,
  /** What `tookMs` and `rtoMs` count from. */
  from: z.enum(['revert', 'injection']),
  /** From there / from the begin of the injection to the first good answer of the good windows; null when censored. */
  tookMs: num,
  fromInjectMs: num,
  /** It had not recovered when the evidence ended: the true time is longer than this. */
  censoredAtMs: num,
  rtoMs: z.number(),
});

/** A clause of the scenario's claim: the worst of the checks that it names. Source: DESIGN.md, "A scenario is one claim". */
export const Clause = z.strictObject({
  says: z.string(),
  verdict: Verdict,
  checkIds: z.array(z.string()),
});

const Quantiles = z.strictObject({ mean: num, p50: num, p95: num, p99: num, max: num });

/** The four core metrics (design review §2) of one stream in one phase, from the clients and from Prometheus. */
export const CoreMetrics = z.strictObject({
  stream: z.string(),
  phase: z.string(),
  requests: z.number(),
  unsent: z.number(),
  failed: z.number(),
  /** Requests sent per second; successful ones per second; mean number in flight (time-weighted); seconds from intended start. */
  qps: num,
  tps: num,
  concurrency: num,
  responseTime: Quantiles,
  /** QPS x mean time in system against the measured concurrency; residual = |a-b|/max(a,b). */
  littlesLaw: z.strictObject({ predicted: num, measured: num, residual: num }),
  /** The platform's own numbers by metric name of the profile (qps, tps, concurrency, p50, p95, p99). */
  prometheus: z.record(z.string(), num),
});

export const LedgerCounts = z.strictObject({
  phase: z.string(),
  attempted: z.number(),
  accepted: z.number(),
  /** Accepted and processed at least once. */
  processed: z.number(),
  /** Accepted and never processed. */
  lost: z.number(),
  /** Accepted, and processed with an error as its result. */
  failed: z.number(),
  /** Processed more than once. */
  duplicated: z.number(),
  /** Processed, never sent. */
  unexpected: z.number(),
  /** Processed though not accepted (no answer or an error was given). */
  recovered: z.number(),
});

/** Raised when a field goes or changes its meaning. */
export const VERDICT_VERSION = 2;

export const VerdictDocument = z.strictObject({
  version: z.literal(VERDICT_VERSION),
  verdict: Verdict,
  /** Short sentences, the most important first; empty on pass. */
  reasons: z.array(z.string()),
  run: z.strictObject({
    id: z.string(),
    scenario: z.string(),
    title: z.string(),
    claim: z.string(),
    target: z.string(),
    profile: z.string(),
    seed: z.number(),
    timeScale: z.number(),
    startedAt: z.string(),
    durationMs: z.number(),
    defects: z.array(z.string()),
    loadScale: z.record(z.string(), z.number()).optional(),
    outcome: z.enum(['completed', 'interrupted', 'aborted', 'crashed']),
    outcomeReason: z.string().nullable(),
  }),
  phases: z.array(z.strictObject({ name: z.string(), startMs: z.number(), endMs: z.number() })),
  /** Absent: the claim is one plain sentence. */
  clauses: z.array(Clause).optional(),
  checks: z.array(Check),
  objectives: z.array(ObjectiveResult),
  alerts: z.array(AlertResult),
  faults: z.array(FaultResult),
  recovery: z.array(RecoveryResult),
  core: z.array(CoreMetrics),
  ledger: z.array(LedgerCounts),
});
export type VerdictDocument = z.infer<typeof VerdictDocument>;
export type Clause = z.infer<typeof Clause>;
export type ObjectiveResult = z.infer<typeof ObjectiveResult>;
export type AlertResult = z.infer<typeof AlertResult>;
export type FaultResult = z.infer<typeof FaultResult>;
export type RecoveryResult = z.infer<typeof RecoveryResult>;
export type CoreMetrics = z.infer<typeof CoreMetrics>;
export type LedgerCounts = z.infer<typeof LedgerCounts>;
