/**
 * The subset of OpenSLO v1 that Faultline gives a meaning to. Source: OpenSLO specification, "Object Types"
 * (github.com/OpenSLO/OpenSLO).
 */
import { z } from 'zod';

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds of a duration-shorthand of the specification without its calendar units, or undefined. */
export function parseShorthand(text: string): number | undefined {
  const match = /^([1-9]\d*)([mhdw])$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2] as string] as number) : undefined;
}

const Shorthand = z.string().transform((text, context) => {
  const ms = parseShorthand(text);
  if (ms !== undefined) return ms;
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not a duration of OpenSLO: expected one such as 5m, 1h, 3d or 4w`,
  });
  return z.NEVER;
});

const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'expected a name of lower-case letters, digits and dashes, at most 63 characters',
  );
const Metadata = z.strictObject({
  name: Name,
  displayName: z.string().optional(),
  labels: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  annotations: z.record(z.string(), z.string()).default({}),
});
const Description = z.string().max(1050).optional();

const Count = z.strictObject({
  metricSource: z.discriminatedUnion('type', [
    /** Rows of a bundle's table that an SQL condition picks; the one of `good` is a further condition on the rows of `total`. */
    z.strictObject({
      type: z.literal('Faultline'),
      spec: z.strictObject({ table: z.enum(['requests', 'ledger', 'scaling']), where: z.string().min(1) }),
    }),
    /** PromQL that counts the events in `$window`. */
    z.strictObject({ type: z.literal('Prometheus'), spec: z.strictObject({ query: z.string().min(1) }) }),
  ]),
});

const ThresholdSource = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('Faultline'),
    spec: z.strictObject({
      table: z.enum(['requests', 'ledger', 'scaling']),
      where: z.string().min(1),
      /** SQL expression over a row. */
      value: z.string().min(1),
      statistic: z.enum(['p50', 'p90', 'p95', 'p99', 'max', 'mean', 'min']),
      unit: z.string(),
    }),
  }),
  z.strictObject({
    type: z.literal('Prometheus'),
    spec: z.strictObject({
      query: z.string().min(1),
      kind: z.enum(['raw', 'range', 'phase']),
      statistic: z.enum(['max', 'mean', 'min', 'last', 'p95']),
      unit: z.string(),
    }),
  }),
]);

const SliSpec = z.strictObject({
  description: Description,
  thresholdMetric: z.strictObject({ metricSource: ThresholdSource }).optional(),
  ratioMetric: z.strictObject({ counter: z.boolean(), good: Count, total: Count }).optional(),
});

const AlertConditionSpec = z.strictObject({
  description: Description,
  severity: z.string().min(1),
  condition: z.strictObject({
    kind: z.literal('burnrate').default('burnrate'),
    op: z.literal('gt'),
    threshold: z.number().positive(),
    lookbackWindow: Shorthand,
    alertAfter: z
      .literal('0m')
      .transform(() => 0)
      .or(Shorthand)
      .optional(),
  }),
});
export type AlertConditionSpec = z.infer<typeof AlertConditionSpec>;

const AlertCondition = z.strictObject({
  apiVersion: z.literal('openslo/v1'),
  kind: z.literal('AlertCondition'),
  metadata: Metadata,
  spec: AlertConditionSpec,
});
/** A reference, or a condition in place. Not a union, so that an error says where it is. */
const PolicyCondition = z.strictObject({
  conditionRef: Name.optional(),
  kind: z.literal('AlertCondition').optional(),
  metadata: Metadata.optional(),
  spec: AlertConditionSpec.optional(),
});

export const OpenSloObject = z.discriminatedUnion('kind', [
  z.strictObject({
    apiVersion: z.literal('openslo/v1'),
    kind: z.literal('SLO'),
    metadata: Metadata,
    spec: z.strictObject({
      description: Description,
      service: z.string().min(1),
      indicator: z.strictObject({ metadata: Metadata, spec: SliSpec }).optional(),
      indicatorRef: Name.optional(),
      timeWindow: z
        .array(z.strictObject({ duration: Shorthand, isRolling: z.literal(true) }))
        .length(1)
        .optional(),
      budgetingMethod: z.literal('Occurrences'),
      objectives: z
        .array(
          z.strictObject({
            displayName: z.string().optional(),
            op: z.enum(['lt', 'lte', 'gt', 'gte']).optional(),
            value: z.number().optional(),
            target: z.number().min(0).lt(1).optional(),
            targetPercent: z.number().min(0).lt(100).optional(),
          }),
        )
        .length(1, 'expected exactly one objective: Faultline judges one bound a file'),
      alertPolicies: z.array(z.strictObject({ alertPolicyRef: Name })).default([]),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('openslo/v1'),
    kind: z.literal('SLI'),
    metadata: Metadata,
    spec: SliSpec,
  }),
  z.strictObject({
    apiVersion: z.literal('openslo/v1'),
    kind: z.literal('AlertPolicy'),
    metadata: Metadata,
    spec: z.strictObject({
      description: Description,
      alertWhenBreaching: z.literal(true),
      alertWhenResolved: z.boolean().optional(),
      /** Alerts on a ratio never fire without data; the absent alerts do that. */
      alertWhenNoData: z.literal(false).optional(),
      conditions: z.array(PolicyCondition).length(1),
      notificationTargets: z.array(z.strictObject({ targetRef: Name })),
    }),
  }),
  AlertCondition,
  z.strictObject({
    apiVersion: z.literal('openslo/v1'),
    kind: z.literal('AlertNotificationTarget'),
    metadata: Metadata,
    spec: z.strictObject({ target: z.string(), description: Description }),
  }),
]);
export type OpenSloObject = z.infer<typeof OpenSloObject>;
export type Slo = Extract<OpenSloObject, { kind: 'SLO' }>;
export type Sli = Extract<OpenSloObject, { kind: 'SLI' }>;

/** What OpenSLO has no field for: `metadata.annotations` with the prefix `faultline.dev/` on an SLO. */
export const FAULTLINE_ANNOTATIONS: Record<string, { matches: RegExp; expected: string }> = {
  /** Document that sets the objective. */
  source: { matches: /\S/, expected: 'the name of a document' },
  /** The bound is governed by timers that the time scale divides. */
  'time-scaled': { matches: /^(?:true|false)$/, expected: 'true or false' },
  /** Fewer rows or samples than this give `unknown`. */
  'min-samples': { matches: /^[1-9]\d*$/, expected: 'a whole number of at least 1' },
  informational: { matches: /^(?:true|false)$/, expected: 'true or false' },
  /** For a ratio, `gt` where the document says "more than"; OpenSLO's target is reached at equality. */
  op: { matches: /^gte?$/, expected: 'gt or gte' },
  /** For a ratio of Faultline's rows: PromQL counting the platform's good and all events in `$window`. */
  'burn-good': { matches: /\S/, expected: 'a PromQL expression' },
  'burn-total': { matches: /\S/, expected: 'a PromQL expression' },
};
