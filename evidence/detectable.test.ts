import { expect, it } from 'vitest';
import { detectionBudgetMs, undetectableRules } from './detectable.ts';
import { passingRun } from './testing.ts';

it('names the rules that the run is too short, or its scrapes too far apart, to see', () => {
  const { plan } = passingRun();
  const [first] = plan.rules;
  if (!first) throw new Error('no rule');
  const rule = (alert: string, forMs: number, shortestRangeMs: number) => ({
    ...first,
    alert,
    forMs,
    shortestRangeMs,
  });
  const rules = [
    rule('Seen', 2000, 0),
    rule('SeenInItsWindow', 2000, 4 * plan.scrapeMs),
    rule('Slow', 60_000, 0),
    rule('Blind', 0, 4 * plan.scrapeMs - 1),
  ];
  expect(undetectableRules({ ...plan, rules }).map((r) => r.alert)).toEqual(['Slow', 'Blind']);
});

it('knows that the cluster’s own metrics are scraped less often', () => {
  const { plan } = passingRun();
  const [first] = plan.rules;
  if (!first) throw new Error('no rule');
  const rules = ['kube_pod_container_status_restarts_total', 'http_requests_total'].map((metric) => ({
    ...{ ...first, alert: metric, forMs: 0, shortestRangeMs: 19_999, expr: `increase(${metric}[20s]) > 0` },
  }));
  const blind = (timeScale: number) =>
    undetectableRules({ ...plan, rules, run: { ...plan.run, timeScale } }).map((r) => r.alert);
  // Every 5 s: four of them do not fit.
  expect(blind(60)).toEqual(['kube_pod_container_status_restarts_total']);
  // Every 15 s, in real time.
  expect(blind(1)).toEqual(['kube_pod_container_status_restarts_total']);
  for (const rule of rules) rule.shortestRangeMs = 20_000;
  expect(blind(60)).toEqual([]);
  expect(blind(1)).toEqual(['kube_pod_container_status_restarts_total']);
});

it('adds up what a detection takes at most', () => {
  const [first] = passingRun().plan.rules;
  if (!first) throw new Error('no rule');
  const rhythm = { scrapeMs: 500, evaluationMs: 700, timeScale: 60 };
  expect(detectionBudgetMs({ ...first, forMs: 2000, rangeMs: 9000 }, rhythm)).toBe(3200);
  expect(detectionBudgetMs({ ...first, forMs: 2000, rangeMs: 9000, fillMs: 5000 }, rhythm)).toBe(8200);
  // Of the cluster's own metrics the scrape is later.
  const kube = 'kube_pod_status_ready == 0';
  expect(detectionBudgetMs({ ...first, forMs: 2000, expr: kube }, rhythm)).toBe(7700);
  const recorded = { expr: 'pods:ready == 0', writtenOut: `((${kube}))` };
  expect(detectionBudgetMs({ ...first, forMs: 2000, ...recorded }, rhythm)).toBe(7700);
});

it('names the rules whose range the run can not fill', () => {
  const { plan } = passingRun();
  const [first] = plan.rules;
  const end = plan.phases.at(-1)?.endMs ?? 0;
  if (!first) throw new Error('no rule');
  const rules = [
    { ...first, alert: 'Whole', fillMs: end },
    { ...first, alert: 'Part', fillMs: end / 2 },
  ];
  expect(undetectableRules({ ...plan, rules }).map((r) => r.alert)).toEqual(['Whole']);
});
