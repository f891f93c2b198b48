/** Fetches every named query of the profile into rows of series.parquet. What can not be fetched is named in the journal. */
import { RULE_METRIC } from '../../evidence/detectable.ts';
import type { Plan, PlannedRule } from '../../evidence/plan.ts';
import { MONITORING_STARTED, rangeStepMs, type SeriesRow } from '../../evidence/tables.ts';
import { promqlMetrics } from '../../slo/rules/promql.ts';
import type { RunClock } from '../clock.ts';
import type { PodSample } from '../observers.ts';
import { Patience } from './patience.ts';
import type { GroupEvaluations, PrometheusClient, PromSeries, RuleHealth } from './prometheus.ts';

export interface NamedQueries {
  /** Selectors of counters, fetched as scraped. */
  counters: Record<string, string>;
  /** PromQL with `$window`, over the whole run in steps of a scrape. */
  series: Record<string, string>;
  /** PromQL evaluated once for each phase, `$window` being the phase; the core metrics of the plan come with these. */
  perPhase: Record<string, string>;
}

export interface Missing {
  what: string;
  reason: string;
}

export async function collectSeries(
  client: PrometheusClient,
  plan: Plan,
  queries: NamedQueries,
  endMs: number,
  clock: RunClock,
  patience = new Patience(),
): Promise<{ rows: SeriesRow[]; missing: Missing[] }> {
  const rows: SeriesRow[] = [];
  const missing: Missing[] = [];
  const wall = (t: number) => clock.originWallMs + t;
  const add = (query: string, kind: SeriesRow['kind'], phase: string | null, series: PromSeries[]) => {
    for (const { labels, samples } of series) {
      const text = JSON.stringify(
        Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
      );
      for (const { wallMs, value } of samples) {
        // What is infinite is a value, and the worst there can be: it must not vanish.
        if (!Number.isNaN(value))
          rows.push({
            query,
            kind,
            phase,
            labels: text,
            t_us: Math.round((wallMs - clock.originWallMs) * 1000),
            value,
          });
      }
    }
  };
  const attempt = async (what: string, fetchAndAdd: () => Promise<void>) => {
    try {
      await patience.ask(fetchAndAdd);
    } catch (error) {
      missing.push({ what, reason: (error as Error).message });
    }
  };
  const windowText = (ms: number) => `${Math.max(1, Math.round(ms))}ms`;
  const rateWindow = windowText(Math.max(8 * plan.scrapeMs, 1000));
  const step = rangeStepMs(plan.scrapeMs, endMs);

  const core = Object.entries(plan.core).flatMap(([stream, metrics]) =>
    Object.entries(metrics).map(([metric, promql]) => [`core.${stream}.${metric}`, promql] as const),
  );
  await Promise.all([
    ...Object.entries(queries.counters).map(([name, selector]) =>
      // From well before the origin, so that an increase right at the start has something to rise from, even where scrapes were lost.
      attempt(`series.parquet: ${name}`, async () =>
        add(
          name,
          'raw',
          null,
          await client.raw(selector, wall(endMs), endMs + Math.max(LEAD_SCRAPES * plan.scrapeMs, LEAD_MS)),
        ),
      ),
    ),
    ...[...Object.entries(queries.series), ...core].map(([name, promql]) =>
      attempt(`series.parquet: ${name}`, async () =>
        add(
          name,
          'range',
          null,
          await client.range(promql.replaceAll('$window', rateWindow), wall(0), wall(endMs), step),
        ),
      ),
    ),
    ...[...Object.entries(queries.perPhase), ...core].flatMap(([name, promql]) =>
      plan.phases.map((phase) =>
        attempt(`series.parquet: ${name} in ${phase.name}`, async () => {
          // At its end and not beyond: the next one may begin with a fault. After the last one nothing comes, and one scrape later
          // all that happened in it has been scraped.
          const at = wall(phase.endMs + (phase === plan.phases.at(-1) ? plan.scrapeMs : 0));
          add(
            name,
            'phase',
            phase.name,
            await client.instant(promql.replaceAll('$window', windowText(phase.endMs - phase.startMs)), at),
          );
        }),
      ),
    ),
  ]);
  return { rows, missing };
}

const LEAD_SCRAPES = 20;
const LEAD_MS = 60_000;

export function podRows(samples: PodSample[]): SeriesRow[] {
  return samples.map(({ query, t, function: name, pods }) => ({
    query,
    kind: 'observed',
    phase: null,
    labels: JSON.stringify({ function: name }),
    t_us: Math.round(t * 1000),
    value: pods,
  }));
}

/**
 * How often each alert rule was evaluated in the run, 0 for a rule that is not healthy: its silence says nothing. And how often an
 * evaluation in its group failed: a rule that is healthy at the end may have been blind in the fault.
 * @param before what Prometheus had counted when the run began: what failed before, when there was no platform yet, is no part of it
 */
export function evaluationRows(
  rules: RuleHealth[],
  before: GroupEvaluations,
  after: GroupEvaluations,
  endMs: number,
): SeriesRow[] {
  return rules.flatMap((rule) => {
    const group = `${rule.file};${rule.group}`;
    const row = (query: string, value: number): SeriesRow => ({
      ...{ query, kind: 'observed', phase: null, labels: JSON.stringify({ alert: rule.alert }) },
      ...{ t_us: Math.round(endMs * 1000), value },
    });
    const evaluated = increase(before.evaluations.get(group), after.evaluations.get(group));
    const failed = increase(before.failures.get(group), after.failures.get(group));
    return [
      row('rule_evaluations', rule.health === 'ok' ? (evaluated ?? 0) : 0),
      ...(failed === undefined ? [] : [row('rule_failures', failed)]),
    ];
  });
}

/** Of a counter. One that is smaller than before is another process's, and began at 0. */
function increase(before: number | undefined, after: number | undefined): number | undefined {
  if (before === undefined || after === undefined || after < before) return after;
  return after - before;
}

/** Which of the metrics that rules read there were at all. */
export function ruleMetricRows(
  rules: readonly PlannedRule[],
  there: ReadonlySet<string>,
  endMs: number,
): SeriesRow[] {
  const metrics = new Set(rules.flatMap(({ expr }) => promqlMetrics(expr)));
  return [...metrics].map((metric) => ({
    ...{ query: RULE_METRIC, kind: 'observed', phase: null, labels: JSON.stringify({ metric }) },
    ...{ t_us: Math.round(endMs * 1000), value: there.has(metric) ? 1 : 0 },
  }));
}

export function startRow(
  component: 'prometheus' | 'alertmanager',
  startedWallMs: number,
  clock: RunClock,
  endMs: number,
): SeriesRow {
  return {
    ...{ query: MONITORING_STARTED, kind: 'observed', phase: null, labels: JSON.stringify({ component }) },
    ...{ t_us: Math.round(endMs * 1000), value: Math.round(startedWallMs - clock.originWallMs) / 1000 },
  };
}

/** Rows or lines that were written to each file of the bundle. */
export function manifestRows(written: Readonly<Record<string, number>>, endMs: number): SeriesRow[] {
  return Object.entries(written).map(([file, value]) => ({
    query: 'rows',
    kind: 'observed',
    phase: null,
    labels: JSON.stringify({ file }),
    t_us: Math.round(endMs * 1000),
    value,
  }));
}
