import { expect, it } from 'vitest';
import { EvidenceError, NoAnswerError } from '../../base/errors.ts';
import { passingRun } from '../../evidence/testing.ts';
import { RunClock } from '../clock.ts';
import { Patience } from './patience.ts';
import type { PrometheusClient } from './prometheus.ts';
import { collectSeries, evaluationRows, ruleMetricRows, startRow } from './series.ts';

it('fetches counters from well before the load: what was counted before it is not new, even where scrapes were lost', async () => {
  const { plan } = passingRun();
  const asked: number[] = [];
  const client = {
    raw: async (_selector: string, _atMs: number, rangeMs: number) => {
      asked.push(rangeMs);
      return [];
    },
  } as unknown as PrometheusClient;
  const queries = { counters: { events: 'events_total' }, series: {}, perPhase: {} };
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  await collectSeries(client, { ...plan, core: {}, scrapeMs: 500 }, queries, 70_000, clock);
  await collectSeries(client, { ...plan, core: {}, scrapeMs: 15_000 }, queries, 70_000, clock);
  expect(asked).toEqual([130_000, 370_000]);
});

it('measures a phase up to its end: what the next one begins with, a fault, is not its own', async () => {
  const { plan } = passingRun();
  const asked: number[] = [];
  const client = {
    instant: async (_query: string, atMs: number) => {
      asked.push(atMs - 1_790_000_000_000);
      return [];
    },
  } as unknown as PrometheusClient;
  const queries = { counters: {}, series: {}, perPhase: { errors: 'sum(increase(errors_total[$window]))' } };
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  await collectSeries(client, { ...plan, core: {}, scrapeMs: 500 }, queries, 70_000, clock);
  // After the last one nothing follows but what is scraped of its own end.
  expect(asked).toEqual([20_000, 30_000, 40_000, 50_000, 60_500]);
});

it('keeps an infinite value, which is the worst there can be, and leaves out what is no number', async () => {
  const { plan } = passingRun();
  const client = {
    instant: async () => [
      {
        labels: {},
        samples: [Number.POSITIVE_INFINITY, Number.NaN, 2].map((value) => ({ wallMs: 1, value })),
      },
    ],
  } as unknown as PrometheusClient;
  const clock = new RunClock();
  clock.setOrigin(0);
  const queries = { counters: {}, series: {}, perPhase: { errors: 'errors[$window]' } };
  const phases = plan.phases.slice(0, 1);
  const { rows } = await collectSeries(client, { ...plan, phases, core: {} }, queries, 70_000, clock);
  expect(rows.map(({ value }) => value)).toEqual([Number.POSITIVE_INFINITY, 2]);
});

it('keeps when a process that watches was started, in seconds from the origin', () => {
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  expect(startRow('prometheus', 1_790_000_012_500, clock, 70_000)).toEqual({
    ...{ query: 'monitoring_started', kind: 'observed', phase: null, labels: '{"component":"prometheus"}' },
    ...{ t_us: 70_000_000, value: 12.5 },
  });
  expect(startRow('prometheus', 1_789_999_980_000, clock, 70_000).value).toBe(-20);
});

it('asks a few queries at a time, and again those that nobody answered', async () => {
  const { plan } = passingRun();
  const tries = new Map<string, number>();
  let now = 0;
  let most = 0;
  const client = {
    raw: async (selector: string) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      const times = (tries.get(selector) ?? 0) + 1;
      tries.set(selector, times);
      if (selector === 'q3' && times < 3) throw new NoAnswerError('a time-out');
      if (selector === 'q5') throw new EvidenceError('parse error');
      return [{ labels: {}, samples: [{ wallMs: 1_790_000_000_000, value: 1 }] }];
    },
  } as unknown as PrometheusClient;
  const names = Array.from({ length: 20 }, (_, i) => `q${i}`);
  const queries = {
    counters: Object.fromEntries(names.map((name) => [name, name])),
    ...{ series: {}, perPhase: {} },
  };
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  const patience = new Patience({ againMs: 10 });
  const { rows, missing } = await collectSeries(client, { ...plan, core: {} }, queries, 1, clock, patience);
  expect(missing).toEqual([{ what: 'series.parquet: q5', reason: 'parse error' }]);
  expect(rows.map(({ query }) => query).sort()).toEqual(names.filter((name) => name !== 'q5').sort());
  expect([most, tries.get('q3'), tries.get('q5'), tries.get('q7')]).toEqual([4, 3, 1, 1]);
});

it('counts evaluations of rules, and those that failed, in the run and not before it', () => {
  const rule = { alert: 'Slow', group: 'g', file: 'rules.yaml', health: 'ok', lastError: '' };
  const counted = (evaluations: number, failures: number) => ({
    evaluations: new Map([['rules.yaml;g', evaluations]]),
    failures: new Map([['rules.yaml;g', failures]]),
  });
  const valuesOf = (...[before, after]: ReturnType<typeof counted>[]) =>
    evaluationRows([rule], before as never, after as never, 70_000).map(({ query, value }) => [query, value]);
  // One failed while the platform came up.
  expect(valuesOf(counted(300, 1), counted(340, 1))).toEqual([
    ['rule_evaluations', 40],
    ['rule_failures', 0],
  ]);
  // Another Prometheus, which has counted from 0.
  expect(valuesOf(counted(300, 5), counted(12, 2))).toEqual([
    ['rule_evaluations', 12],
    ['rule_failures', 2],
  ]);
  const nothing = { evaluations: new Map<string, number>(), failures: new Map<string, number>() };
  expect(valuesOf(nothing, counted(12, 0))).toEqual([
    ['rule_evaluations', 12],
    ['rule_failures', 0],
  ]);
  // Nobody knows how many failed.
  expect(valuesOf(counted(300, 1), nothing)).toEqual([['rule_evaluations', 0]]);
});

it('tells which of the metrics that rules read there were at all', () => {
  const { plan } = passingRun();
  const rules = ['up == 0', 'rate(errors_total[1m]) / rate(requests_total[1m]) > 0.1 and up == 1'].map(
    (expr, i) => ({ ...plan.rules[0], alert: `a${i}`, expr }),
  );
  const rows = ruleMetricRows(rules as never, new Set(['up', 'requests_total', 'others']), 70_000);
  expect(rows.map(({ query, kind, labels, value }) => [query, kind, labels, value])).toEqual([
    ['rule_metric', 'observed', '{"metric":"up"}', 1],
    ['rule_metric', 'observed', '{"metric":"errors_total"}', 0],
    ['rule_metric', 'observed', '{"metric":"requests_total"}', 1],
  ]);
});
