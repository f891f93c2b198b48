/** Which rules a run could not have seen firing. */
import { expensiveScrapeMs } from '../base/scrape.ts';
import type { Plan, PlannedRule } from './plan.ts';

/** Windows under this many scrapes make rate() blind. Source: Prometheus documentation, "rate() … at least two samples", doubled for a lost scrape. */
export const MIN_SCRAPES_PER_WINDOW = 4;

/** Of kube-state-metrics and cAdvisor. */
const EXPENSIVE = /\b(kube|container)_\w/;

/**
 * `observed` series, labels `{"metric": ...}`, of each metric that a rule reads: 1 when the run's Prometheus had it at any time, 0 when not.
 * Bundles from before there was this series have none.
 */
export const RULE_METRIC = 'rule_metric';

interface Rhythm {
  scrapeMs: number;
  timeScale: number;
}

/** How often a rule's metrics are scraped, ms. */
export const scrapedEveryMs = (
  { expr, writtenOut = expr }: PlannedRule,
  { scrapeMs, timeScale }: Rhythm,
): number => (EXPENSIVE.test(writtenOut) ? Math.max(scrapeMs, expensiveScrapeMs(timeScale)) : scrapeMs);

/** `rate()` and `increase()` over its shortest window have too few samples: they see nothing, or jumps. */
export function isBlind(rule: PlannedRule, rhythm: Rhythm): boolean {
  const least = MIN_SCRAPES_PER_WINDOW * scrapedEveryMs(rule, rhythm);
  return rule.shortestRangeMs > 0 && rule.shortestRangeMs < least;
}

/**
 * From a fault's effect to the firing alert, ms, when all is as slow as it may be but the fault: its window fills as far as it must, the
 * condition holds for `for`, and a scrape and an evaluation pass. Source: ANCHORS.md, "Alert delay".
 */
export const detectionBudgetMs = (rule: PlannedRule, rhythm: Rhythm & { evaluationMs: number }): number =>
  (rule.fillMs ?? 0) + rule.forMs + scrapedEveryMs(rule, rhythm) + rhythm.evaluationMs;

/** Rules that a run is too short or too sparsely scraped to see firing: their silence proves nothing, and plan and verdict say so. */
export function undetectableRules(plan: Plan): PlannedRule[] {
  const end = plan.phases.at(-1)?.endMs ?? 0;
  const rhythm = { ...plan, timeScale: plan.run.timeScale };
  return plan.rules.filter((rule) => detectionBudgetMs(rule, rhythm) > end || isBlind(rule, rhythm));
}
