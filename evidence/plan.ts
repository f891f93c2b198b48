/**
 * `plan.json`: everything that a run meant to do, resolved: times are milliseconds from the run's origin, already
 * divided by the time scale. The judge reads the scenario's promises from here and from nowhere else.
 */
import { z } from 'zod';

export const BUNDLE_VERSION = 2;

export const Phase = z.strictObject({ name: z.string(), startMs: z.number(), endMs: z.number() });

/** An open-model stretch of one stream: `rate` requests a second from startMs to endMs; request i is intended at startMs + i/rate. */
export const Segment = z.strictObject({
  phase: z.string(),
  startMs: z.number(),
  endMs: z.number(),
  rate: z.number().nonnegative(),
  count: z.number().int(),
});

export const Stream = z.strictObject({
  name: z.string(),
  /** Exported function of `scenarios/k6/main.ts` that sends one request. */
  script: z.string(),
  segments: z.array(Segment),
  timeoutMs: z.number(),
  maxVUs: z.number().int(),
  /** The stream's events are owed processing after a 2xx, so they are in the ledger. */
  ledger: z.boolean(),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export const PlannedFault = z.strictObject({
  name: z.string(),
  kind: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  injectMs: z.number(),
  revertMs: z.number(),
  /** The effect must be proven within this time of the injection, and gone within it after the revert; ms, not scaled. */
  effectWithinMs: z.number(),
  /** The effect is looked for again each time that so much has passed; null: the fault strikes, and what it hit may come back at once. */
  watchEveryMs: z.number().nullable(),
  /** One sentence: what undoes it. */
  undo: z.string(),
  probe: z.string(),
});

/** Rows of a table that count: an SQL condition over the columns of `requests`, `ledger` or `scaling` (evidence/tables.ts, slo/judge). */
export const Rows = z.strictObject({ table: z.enum(['requests', 'ledger', 'scaling']), where: z.string() });

export const Indicator = z.discriminatedUnion('type', [
  /** good ÷ total, both counted from the client's evidence. */
  z.strictObject({ type: z.literal('ratio'), good: z.string(), total: Rows }),
  /** A statistic of an SQL expression over rows, e.g. p95 of `latency_s`. */
  z.strictObject({
    type: z.literal('quantile'),
    statistic: z.enum(['p50', 'p90', 'p95', 'p99', 'max', 'mean', 'min']),
    value: z.string(),
    rows: Rows,
    unit: z.string(),
  }),
  /** A statistic over samples of a named query in series.parquet. */
  z.strictObject({
    type: z.literal('series'),
    statistic: z.enum(['max', 'mean', 'min', 'last', 'p95']),
    query: z.string(),
    kind: z.enum(['raw', 'range', 'phase', 'observed']),
    unit: z.string(),
  }),
]);

export const Objective = z.strictObject({
  name: z.string(),
  title: z.string(),
  /** Document that sets it, e.g. `SRE guide, Golden Signals`. */
  source: z.string(),
  indicator: Indicator,
  op: z.enum(['lt', 'lte', 'gt', 'gte']),
  /** Compared with the indicator. For a ratio this is the objective's target, 0..1. */
  target: z.number(),
  /** target is governed by timers that the time scale divides (idle windows): compared after division. Already divided here. */
  timeScaled: z.boolean(),
  /** Phases in which it must hold, each judged by itself; `run` is all of them together. */
  phases: z.array(z.string()),
  /** Fewer rows than this give `unknown`. */
  minSamples: z.number().int(),
  /** True: judged and shown, and can not make the verdict fail. */
  informational: z.boolean().default(false),
});

export const AlertContract = z.strictObject({
  alert: z.string(),
  /** Labels that the delivered alert must carry. */
  labels: z.record(z.string(), z.string()),
  expect: z.enum(['must-fire', 'may-fire', 'must-not-fire']),
  /** May fire without a fault too: the scenario knows it for a false alarm. */
  anytime: z.literal(true).optional(),
  /** Fault whose effect starts the clock; for must-fire. */
  fault: z.string().optional(),
  /** Must be firing, and delivered, within this many ms of the effect (scaled) plus the plan's slackMs. */
  withinMs: z.number().optional(),
  /** Must be inactive, and its resolution delivered, within this many ms of the effect's end (scaled) plus slackMs. */
  clearsWithinMs: z.number().optional(),
});

export const RecoveryContract = z.strictObject({
  name: z.string(),
  fault: z.string(),
  /** Good rows ÷ all rows of a window must reach `target` for the window to be good. */
  total: Rows,
  good: z.string(),
  target: z.number(),
  windowMs: z.number(),
  /** Good windows in a row that count as recovered. */
  windows: z.number().int(),
  /** What the time counts from: `injection` for what must recover while the fault is there. */
  from: z.enum(['revert', 'injection']),
  /** Recovery time objective, ms from there (scaled) plus slackMs. */
  rtoMs: z.number(),
});

/** A rule as Prometheus evaluated it in this run: durations already scaled. */
export const PlannedRule = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  /** The expression with what recorded series are made of in their place. Absent: it reads none (older plans do not say). */
  writtenOut: z.string().optional(),
  forMs: z.number(),
  /** Absent: 0 (older plans do not say). */
  keepFiringForMs: z.number().optional(),
  /** How far back it looks, offsets and recorded series included, and its shortest range, ms; 0 without one. */
  rangeMs: z.number(),
  shortestRangeMs: z.number(),
  /** A fault must fill so much of its range before it can be true, ms. Absent: it can be true at once (older plans do not say). */
  fillMs: z.number().optional(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  file: z.string(),
});

export const Plan = z.strictObject({
  version: z.literal(BUNDLE_VERSION),
  run: z.strictObject({
    id: z.string(),
    seed: z.number().int(),
    timeScale: z.number(),
    startedAt: z.string(),
    defects: z.array(z.string()),
    /** Factors on the scenario's rates, by stream; absent: as the scenario has them. */
    loadScale: z.record(z.string(), z.number()).optional(),
  }),
  scenario: z.strictObject({
    name: z.string(),
    title: z.string(),
    claim: z.string(),
    /** The claim's clauses, in its order, each with the checks that judge it (`*`: any one part of an id). Absent: one plain sentence. */
    clauses: z
      .array(z.strictObject({ says: z.string(), judgedBy: z.array(z.string()).min(1) }))
      .min(1)
      .optional(),
    file: z.string(),
    sha256: z.string(),
    text: z.string(),
  }),
  target: z.strictObject({ name: z.string(), detail: z.record(z.string(), z.string()) }),
  profile: z.strictObject({ name: z.string(), sha256: z.string() }),
  /** Tool name -> version; includes faultline itself (git revision) and node. */
  versions: z.record(z.string(), z.string()),
  host: z.record(z.string(), z.union([z.string(), z.number()])),
  /** Allowance for what the time scale can not compress (process start, notification, scrape phase), ms. */
  slackMs: z.number(),
  scrapeMs: z.number(),
  evaluationMs: z.number(),
  phases: z.array(Phase),
  streams: z.array(Stream),
  faults: z.array(PlannedFault),
  objectives: z.array(Objective),
  alerts: z.array(AlertContract),
  rules: z.array(PlannedRule),
  recovery: z.array(RecoveryContract),
  ledger: z.strictObject({
    drainMs: z.number(),
    /** Share of the events that were sent which may be not accepted, but for those of {@link refusedWhile}. Absent: nobody judges it. */
    maxRefusedShare: z.number().optional(),
    /** Faults that cut the way in: what is not accepted from their injection on until the platform must have recovered does not count. Absent: there is none. */
    refusedWhile: z.array(z.string()).optional(),
    maxLost: z.number(),
    /** Most accepted events that may end in an error of the platform or of the function. */
    maxFailed: z.number(),
    /** Faults while which every accepted event must fail; those do not count. Absent: there is none. */
    failsWith: z.array(z.string()).optional(),
    maxDuplicated: z.number(),
    maxUnexpected: z.number(),
  }),
  load: z.strictObject({
    /** Share of intended requests that may stay unsent before the generator is not to be trusted. */
    maxUnsentShare: z.number(),
    /** p99 of sent - intended above this makes the load untrusted, ms. */
    maxLatenessMs: z.number(),
    /** Generator CPU above this (1 = one core; whole machine counted by `cores`) makes the load untrusted. */
    maxCpuShare: z.number(),
    /** k6 runs in so many pods of the cluster, each with an equal share; absent: on the harness's host. */
    pods: z.number().int().min(1).optional(),
  }),
  /** What clients saw against what the platform counted. `client`: SQL over the views, rows of `t_us` (when) and `n` (how many). */
  honesty: z.array(
    z.strictObject({
      name: z.string(),
      client: z.string(),
      counter: z.string(),
      tolerance: z.number(),
      toleranceAbs: z.number(),
      /** The series is not there before its first event: none is zero. */
      absentBeforeFirst: z.boolean().optional(),
    }),
  ),
  /** Profile's core-metric queries by stream: series.parquet has them as `core.<stream>.<metric>`. */
  core: z.record(z.string(), z.record(z.string(), z.string())),
});
export type Plan = z.infer<typeof Plan>;
export type Phase = z.infer<typeof Phase>;
export type Segment = z.infer<typeof Segment>;
export type Stream = z.infer<typeof Stream>;
export type PlannedFault = z.infer<typeof PlannedFault>;
export type Indicator = z.infer<typeof Indicator>;
export type Objective = z.infer<typeof Objective>;
export type AlertContract = z.infer<typeof AlertContract>;
export type RecoveryContract = z.infer<typeof RecoveryContract>;
export type PlannedRule = z.infer<typeof PlannedRule>;
