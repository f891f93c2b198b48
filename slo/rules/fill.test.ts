import { expect, it } from 'vitest';
import { fillMs } from './fill.ts';

const MIN = 60_000;

it.each([
  ['absent_over_time(a[10m])', 10],
  ['absent_over_time(a[10m] offset 1h) > 0', 10],
  ['max_over_time(a[10m]) < 3', 10],
  ['3 >= max_over_time(a[10m])', 10],
  ['max_over_time(up[10m:30s]) == 0', 10],
  ['min_over_time(a[10m]) > 100', 10],
  ['avg_over_time(ready[10m]) < 0.5', 5],
  ['avg by (job) ((avg_over_time(up{job="a"}[10m]))) <= 0.9', 1],
  ['avg_over_time(a_component_ready[10m]) == 0', 10],
  ['absent_over_time(a[10m]) or max_over_time(b[5m]) < 1', 5],
])('%s wants %d min of a fault', (expr, minutes) => {
  expect(fillMs(expr)).toBeGreaterThanOrEqual(minutes * MIN - 1);
  expect(fillMs(expr)).toBeLessThanOrEqual(minutes * MIN);
});

// Each can be true with the first scrape in the fault.
it.each([
  'up == 0',
  'rate(errors_total[5m]) > 1',
  'increase(done_total[5m]) < 1',
  'max_over_time(a[10m]) > 3',
  'min_over_time(up[10m]) < 1',
  // It was 3, and healthy.
  'max_over_time(a[10m]) == 5',
  // It may be seconds, and grow; or a share that is never 1.
  'avg_over_time(latency_seconds[10m]) > 0.5',
  'avg_over_time(hit_ratio[10m]) < 0.5',
  'avg_over_time(up[10m]) < bool 0.5',
  'avg_over_time(up[10m]) < 2',
  'max_over_time(a[10m]) < b',
  // No maintenance, as ever.
  'max_over_time(maintenance[1h]) == 0 and up == 0',
  'up == 0 unless max_over_time(up[1h]) < 1',
  'count(max_over_time(up[10m])) < 3',
  '1 - avg_over_time(up[10m]) > 0.5',
])('%s wants none', (expr) => expect(fillMs(expr)).toBe(0));
