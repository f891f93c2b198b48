/**
 * A scenario: one claim in one YAML file. Durations are real ones (as in production); the run's time scale divides them, but for those
 * that say otherwise.
 * Words: DESIGN.md. Every object is strict: an unknown field is an error, not a wish.
 */
import { z } from 'zod';
import { parseDuration } from '../base/duration.ts';

/** Exported functions of k6/main.ts. The shipped objectives find a stream by its name: best it has that of its script. */
export const SCRIPTS = ['builds', 'invocations', 'events', 'updates'] as const;
/** What each of them takes: k6 would silently send something else for a name that it does not know. */
export const SCRIPT_PARAMS: Record<(typeof SCRIPTS)[number], readonly string[]> = {
  builds: ['prefix', 'source'],
  invocations: ['prefix', 'functions', 'workMs', 'failShare'],
  events: ['prefix', 'functions', 'workMs'],
  updates: ['prefix', 'functions', 'minScale'],
};
/** Phases in the order in which a run goes through them; a scenario uses those that it needs. */
export const PHASES = ['baseline', 'inject', 'steady-fault', 'recover', 'recovered'] as const;
export const PhaseName = z.enum(PHASES);
export type PhaseName = z.infer<typeof PhaseName>;

const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'expected a name of lower-case letters, digits and dashes, at most 63 characters',
  );

/** A duration with its unit (`90s`, `5m`); becomes milliseconds. */
const Duration = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms === undefined) {
    context.addIssue({
      code: 'custom',
      message: `expected a duration with a unit, such as 90s or 5m; got "${text}"`,
    });
    return z.NEVER;
  }
  return ms;
});

/** Requests a second: `12/s`, or a minute: `1000/min`. */
const Rate = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)\/(s|min)$/.exec(text);
  if (!match) {
    context.addIssue({ code: 'custom', message: `expected a rate such as 12/s or 1000/min; got "${text}"` });
    return z.NEVER;
  }
  return Number(match[1]) / (match[2] === 'min' ? 60 : 1);
});

const Params = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** Functions deployed through the platform before the timeline starts: `count` of them, named `<prefix>-0`, `<prefix>-1`, ... */
const Functions = z.strictObject({
  prefix: Name,
  count: z.number().int().min(1).max(500).default(1),
  minScale: z.number().int().min(0).default(0),
  maxScale: z.number().int().min(1).default(10),
  targetConcurrency: z.number().int().min(1).default(10),
  /** Called once before the timeline, so that the baseline does not begin with a cold start. */
  warm: z.boolean().default(true),
});

const Load = z.strictObject({
  name: Name,
  script: z.enum(SCRIPTS),
  /** Rate in every phase that `rates` does not name; 0 where both are silent. */
  rate: Rate.optional(),
  rates: z.partialRecord(PhaseName, Rate).default({}),
  /** The client gives up after this; real time, never scaled. */
  timeout: Duration.default(10_000),
  maxVUs: z.number().int().min(1).max(2000).default(100),
  params: Params.default({}),
});

const Fault = z.strictObject({
  name: Name,
  kind: z.string(),
  params: Params.default({}),
  /** Injected when this phase starts, plus `after`. */
  at: PhaseName.default('inject'),
  after: Duration.optional(),
  /** Reverted when this phase starts. */
  until: PhaseName.default('recover'),
  /** The effect must be proven within this time of the injection and gone within it after the revert; real time, never scaled. */
  effectWithin: Duration.default(5000),
});

const ObjectiveUse = z.strictObject({
  ref: z.string(),
  /** Phases judged each by itself; `run` is all of them together. */
  phases: z
    .array(z.union([PhaseName, z.literal('run')]))
    .min(1)
    .default(['run']),
  /** Overrides the objective's own target, in its own unit. */
  target: z.number().optional(),
  informational: z.boolean().default(false),
});

const MustFire = z.strictObject({
  alert: z.string(),
  fault: Name,
  within: Duration,
  clearsWithin: Duration,
  labels: z.record(z.string(), z.string()).default({}),
});

const Recovery = z.strictObject({
  name: Name,
  fault: Name,
  stream: Name,
  /** `answered`: requests get the answer that they asked for. `processed`: what was accepted is processed in time (streams with a ledger). */
  measure: z.enum(['answered', 'processed']),
  /** Share of good rows that makes a window good. */
  target: z.number().min(0).max(1).default(0.99),
  window: Duration,
  windows: z.number().int().min(1).default(3),
  /** What the time counts from: `injection` for what must recover while the fault is there, and stay so until the revert. */
  from: z.enum(['revert', 'injection']).default('revert'),
  rto: Duration,
});

const Abort = z.strictObject({
  /** Stream whose share of failed requests is watched live. */
  stream: Name,
  errorShareAbove: z.number().min(0).max(1),
  /** For this long without a break. */
  for: Duration,
  phases: z.array(PhaseName).min(1),
});

/**
 * What a run shows when it passes: one sentence; or its clauses, which make one when they are read one after the other, each with the
 * checks that judge it. Every one of those must be among what will be judged: the refusal lists that.
 */
const Claim = z.union(
  [
    z.string().min(1),
    z
      .array(
        z.strictObject({
          says: z.string().min(1),
          /** Ids of checks; `*` stands for any one part: `objective/build-success/*`. */
          judgedBy: z.array(z.string().min(1)).min(1),
        }),
      )
      .min(1),
  ],
  { error: 'expected one sentence, or a list of clauses, each with "says" and "judgedBy" (ids of checks)' },
);

export const Scenario = z.strictObject({
  apiVersion: z.literal('faultline.dev/v1'),
  kind: z.literal('Scenario'),
  metadata: z.strictObject({ name: Name, title: z.string().min(1), tags: z.array(z.string()).default([]) }),
  spec: z.strictObject({
    claim: Claim,
    phases: z.partialRecord(PhaseName, Duration),
    functions: z.array(Functions).default([]),
    load: z.array(Load).min(1),
    faults: z.array(Fault).default([]),
    objectives: z.array(ObjectiveUse).default([]),
    alerts: z
      .strictObject({
        mustFire: z.array(MustFire).default([]),
        /** Because of a fault; at any time where the scenario has none. */
        mayFire: z.array(z.string()).default([]),
        /** Known to fire without a fault: tolerated at any time, also before the run, and the report says so. */
        falseAlarms: z.array(z.string()).default([]),
      })
      .default({ mustFire: [], mayFire: [], falseAlarms: [] }),
    recovery: z.array(Recovery).default([]),
    ledger: z
      .strictObject({
        /** How long what was accepted may take after the last phase; real time, never scaled. */
        drain: Duration.default(30_000),
        /** Share of the events sent that may be refused, or get no answer. */
        maxRefusedShare: z.number().min(0).max(1).default(0.01),
        /** Faults that cut the way in: what is not accepted while they last, and until their longest recovery time objective, does not count. */
        refusedWhile: z.array(Name).default([]),
        maxLost: z.number().int().min(0).default(0),
        /** Accepted events that may end in an error. Of builds the objective build-success judges the share as well. */
        maxFailed: z.number().int().min(0).default(0),
        /** Faults that leave nothing to succeed with: what is accepted while they last must fail, and does not count as failed. */
        failsWith: z.array(Name).default([]),
        maxDuplicated: z.number().int().min(0).default(0),
        maxUnexpected: z.number().int().min(0).default(0),
      })
      .default({
        drain: 30_000,
        maxRefusedShare: 0.01,
        refusedWhile: [],
        maxLost: 0,
        maxFailed: 0,
        failsWith: [],
        maxDuplicated: 0,
        maxUnexpected: 0,
      }),
    abort: z.array(Abort).default([]),
  }),
});
export type Scenario = z.infer<typeof Scenario>;
