import { expect, it } from 'vitest';
import { passingRun } from '../../evidence/testing.ts';
import { RunClock } from '../clock.ts';
import type { PrometheusClient } from './prometheus.ts';
import { collectSeries } from './series.ts';

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
