/** The alert policies of an SLO -> what burn-rate rules are generated from. */
import type { Document, Documents } from './documents.ts';
import { parseShorthand, type Sli, type Slo } from './openslo-schema.ts';

/** One tier of a multi-window burn-rate alert; windows in ms of real time. */
export interface BurnRateCondition {
  name: string;
  severity: string;
  /** Times the rate that spends the whole budget in exactly the SLO's window. */
  factor: number;
  longMs: number;
  shortMs: number;
  forMs: number;
}

export interface BurnRate {
  /** PromQL counting good and all events in `$window`. */
  good: string;
  total: string;
  /** Share of good events, 0..1. */
  target: number;
  conditions: BurnRateCondition[];
}

const SHORT_WINDOW = 'faultline.dev/short-window';

/** Undefined when the SLO has no alert policies, or after a complaint. */
export function readBurnRate(
  documents: Documents,
  item: Document,
  slo: Slo,
  sli: Sli['spec'],
  target: number,
): BurnRate | undefined {
  const { annotations } = slo.metadata;
  const count = (side: 'good' | 'total') => {
    const name = `faultline.dev/burn-${side}`;
    const own = annotations[name];
    if (own !== undefined) documents.checkWindowed(item, ['metadata', 'annotations', name], own);
    const source = sli.ratioMetric?.[side].metricSource;
    return own ?? (source?.type === 'Prometheus' ? source.spec.query : undefined);
  };
  const good = count('good');
  const total = count('total');
  if (slo.spec.alertPolicies.length === 0) return undefined;
  if (!sli.ratioMetric || good === undefined || total === undefined) {
    const message =
      'a burn rate needs a ratioMetric, from Prometheus or with the annotations faultline.dev/burn-good and faultline.dev/burn-total';
    documents.complain(item, ['spec', 'alertPolicies'], message);
    return undefined;
  }
  const conditions = slo.spec.alertPolicies.flatMap(({ alertPolicyRef }, i) => {
    const path = ['spec', 'alertPolicies', i, 'alertPolicyRef'];
    const condition = readCondition(documents, item, alertPolicyRef, path);
    if (condition && condition.factor * (1 - target) >= 1) {
      const message = `"${alertPolicyRef}" can never fire: ${condition.factor} times a budget of ${Number((1 - target).toPrecision(6))} is 100 % or more`;
      documents.complain(item, path, message);
    }
    return condition ?? [];
  });
  return { good, total, target, conditions };
}

function readCondition(
  documents: Documents,
  item: Document,
  policyName: string,
  path: PropertyKey[],
): BurnRateCondition | undefined {
  const policy = documents.find('AlertPolicy', policyName, item, path);
  if (!policy) return undefined;
  let from = policy.document;
  let fromPath: PropertyKey[] = ['spec', 'conditions', 0];
  const { conditionRef, kind, ...inline } = policy.object.spec.conditions[0] ?? {};
  let { spec, metadata } = inline;
  if ((conditionRef === undefined) === (spec === undefined)) {
    documents.complain(from, fromPath, 'expected either conditionRef, or kind, metadata and spec');
    return undefined;
  }
  if (conditionRef !== undefined) {
    const external = documents.find('AlertCondition', conditionRef, from, [...fromPath, 'conditionRef']);
    if (!external) return undefined;
    from = external.document;
    fromPath = [];
    ({ spec, metadata } = external.object);
  }
  if (!spec || !metadata || (conditionRef === undefined && !kind)) {
    documents.complain(from, fromPath, 'expected kind, metadata and spec');
    return undefined;
  }
  const { lookbackWindow: longMs, alertAfter, threshold } = spec.condition;
  const annotations = [...fromPath, 'metadata', 'annotations'];
  const shortMs = readShortWindow(documents, from, annotations, metadata.annotations, longMs);
  return {
    name: metadata.name,
    severity: spec.severity,
    factor: threshold,
    longMs,
    shortMs,
    forMs: alertAfter ?? 0,
  };
}

/** OpenSLO has one window. The second is 1/12 of it, as the SRE workbook advises, unless the annotation says otherwise. */
function readShortWindow(
  documents: Documents,
  item: Document,
  path: PropertyKey[],
  annotations: Record<string, string>,
  longMs: number,
): number {
  for (const key of Object.keys(annotations)) {
    if (key.startsWith('faultline.dev/') && key !== SHORT_WINDOW)
      documents.complain(item, [...path, key], `unknown annotation: expected ${SHORT_WINDOW}`);
  }
  const text = annotations[SHORT_WINDOW];
  if (text === undefined) return longMs / 12;
  const ms = parseShorthand(text);
  if (ms !== undefined && ms < longMs) return ms;
  const message = `"${text}" is no short window: expected a duration such as 5m, shorter than lookbackWindow`;
  documents.complain(item, [...path, SHORT_WINDOW], message);
  return longMs;
}
