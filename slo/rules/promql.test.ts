import { expect, it } from 'vitest';
import { promqlNeeds } from './promql.ts';

it.each([
  ['rate(b_total[5m]) / rate(a_total{code=~"5.."}[5m]) > 0.1', ['a_total', 'b_total']],
  ['up{job="x"} == 0', ['up']],
  // These have a result where there is nothing.
  ['absent(a_total)', []],
  ['absent_over_time(a_total[5m]) or b_total > 0', []],
  ['(sum(a_total) or vector(0)) < 1', []],
  ['vector(1)', []],
  // Which metrics that are, a matcher says.
  ['{__name__=~"a_.*"} > 0', []],
  ['{job="x"} > a_total', []],
])('%s has no result without one of %j', (expr, metrics) => {
  expect(promqlNeeds(expr)).toEqual(metrics);
});
