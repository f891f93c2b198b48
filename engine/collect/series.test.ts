import { expect, it } from 'vitest';
import { passingRun } from '../../evidence/testing.ts';
import { RunClock } from '../clock.ts';
import type { PrometheusClient } from './prometheus.ts';
import { collectSeries, startRow } from './series.ts';

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

it('keeps when a process that watches was started, in seconds from the origin', () => {
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  expect(startRow('prometheus', 1_790_000_012_500, clock, 70_000)).toEqual({
    ...{ query: 'monitoring_started', kind: 'observed', phase: null, labels: '{"component":"prometheus"}' },
    ...{ t_us: 70_000_000, value: 12.5 },
  });
  expect(startRow('prometheus', 1_789_999_980_000, clock, 70_000).value).toBe(-20);
});
