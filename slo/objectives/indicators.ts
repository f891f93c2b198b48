/** OpenSLO's SLI -> the indicator of the plan, and the Prometheus query that it needs. */
import type { Indicator } from '../../evidence/plan.ts';
import type { Document, Documents } from './documents.ts';
import type { Sli } from './openslo-schema.ts';

/** A PromQL query that an objective needs in series.parquet. `$window` in it stands for the window of the phase. */
export interface NamedQuery {
  name: string;
  query: string;
  kind: 'raw' | 'range' | 'phase';
}

type SliSpec = Sli['spec'];

export interface Source {
  documents: Documents;
  /** File that holds the SLI, and where in it. */
  document: Document;
  path: PropertyKey[];
  /** Name in series.parquet, if Prometheus is asked. */
  queryName: string;
}

const QUANTILES: Record<string, number> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

/** @param target OpenSLO's share of events within the value */
export function readIndicator(
  source: Source,
  sli: SliSpec,
  target: number,
): { indicator: Indicator; query?: NamedQuery } | undefined {
  const { documents, document, path, queryName } = source;
  const { thresholdMetric, ratioMetric } = sli;
  if ((thresholdMetric === undefined) === (ratioMetric === undefined)) {
    documents.complain(document, path, 'expected either thresholdMetric or ratioMetric');
    return undefined;
  }
  if (ratioMetric) return readRatio(source, ratioMetric);
  const metric = (thresholdMetric as NonNullable<typeof thresholdMetric>).metricSource;
  const specPath = [...path, 'thresholdMetric', 'metricSource', 'spec'];
  checkStatistic(source, specPath, metric.spec.statistic, target);
  if (metric.type === 'Faultline') {
    const { table, where, value, statistic, unit } = metric.spec;
    return { indicator: { type: 'quantile', statistic, value, rows: { table, where }, unit } };
  }
  const { query, kind, statistic, unit } = metric.spec;
  const queryPath = [...specPath, 'query'];
  if (kind === 'phase') documents.checkWindowed(document, queryPath, query);
  else {
    documents.checkPromql(document, queryPath, query);
    if (query.includes('$window'))
      documents.complain(document, queryPath, '$window has a meaning only in a query of kind phase');
  }
  return {
    indicator: { type: 'series', statistic, query: queryName, kind, unit },
    query: { name: queryName, query, kind },
  };
}

function readRatio(
  { documents, document, path, queryName }: Source,
  metric: NonNullable<SliSpec['ratioMetric']>,
): { indicator: Indicator; query?: NamedQuery } | undefined {
  const good = metric.good.metricSource;
  const total = metric.total.metricSource;
  const at = (...rest: string[]) => [...path, 'ratioMetric', ...rest];
  if (good.type === 'Faultline' && total.type === 'Faultline') {
    const { table, where } = total.spec;
    if (good.spec.table !== table) {
      const message = `expected "${table}" as in total: good rows are a part of all rows`;
      documents.complain(document, at('good', 'metricSource', 'spec', 'table'), message);
    }
    return { indicator: { type: 'ratio', good: good.spec.where, total: { table, where } } };
  }
  if (good.type === 'Prometheus' && total.type === 'Prometheus') {
    for (const [side, { spec }] of [
      ['good', good],
      ['total', total],
    ] as const)
      documents.checkWindowed(document, at(side, 'metricSource', 'spec', 'query'), spec.query);
    return {
      // One value a phase; of a run it is the worst phase that counts.
      indicator: { type: 'series', statistic: 'min', query: queryName, kind: 'phase', unit: 'ratio' },
      // Filtered, so that no events give no sample (unknown) and not 0/0.
      query: { name: queryName, query: `(${good.spec.query}) / ((${total.spec.query}) > 0)`, kind: 'phase' },
    };
  }
  documents.complain(document, at('good', 'metricSource', 'type'), `expected "${total.type}" as in total`);
  return undefined;
}

/** A target of 0.95 says the same as the statistic p95, and must not say another thing. */
function checkStatistic(
  { documents, document }: Source,
  path: PropertyKey[],
  statistic: string,
  target: number,
): void {
  const share = QUANTILES[statistic];
  if (share === undefined || Math.abs(share - target) < 1e-9) return;
  const message = `${statistic} contradicts the objective's target ${target}: expected target ${share}`;
  documents.complain(document, [...path, 'statistic'], message);
}
