/**
 * Multi-window, multi-burn-rate alerts from the objectives that have alert policies.
 *
 * Source: Google SRE workbook, chapter 5 ("Alerting on SLOs"), approach 6: alert when a long window shows that a
 * significant part of the budget is spent, and a short one that it is still being spent. 14.4x over 1h/5m and 6x over
 * 6h/30m page; 3x over 1d/2h and 1x over 3d/6h make a ticket.
 *
 * In short tests three things differ from production, and this is how they are met:
 * - Few events. One bad event of ten is 10 %, a hundred times the budget of 99.9 % (pyrra-dev/pyrra#1925). The short
 *   window must hold enough events that one bad one is below the threshold by itself (1 / (factor x budget), and never
 *   under MIN_EVENTS), and at least MIN_BAD bad ones. The counts are not divided by the time scale.
 * - Tiny windows. Tools that derive windows from the SLO's period come to `0s` (pyrra-dev/pyrra#1028). Here they are
 *   fixed, only the time scale divides them, and the planner refuses a window under four scrapes.
 * - A long window longer than the run. It then holds the run up to now: the alert says that the run so far has spent its
 *   budget at that rate. That is true, so a scenario that breaks the platform for a good part of its time lists the
 *   slow tiers under `mayFire`.
 */
import { formatDuration } from '../base/duration.ts';
import type { BurnRateCondition, ObjectiveTemplate } from './openslo.ts';
import type { Rule } from './rules.ts';

/** Under ten events a percentage is an anecdote, whatever the threshold. */
const MIN_EVENTS = 10;
/** increase() extrapolates one event to at most 4/3 in a window of four scrapes, so 2 means two. */
const MIN_BAD = 2;

const RUNBOOK = 'https://sre.google/workbook/alerting-on-slos/';

/** Alert rules with real durations: one for each objective and tier, grouped by objective. */
export function burnRateRules(objectives: readonly ObjectiveTemplate[]): Rule[] {
  return objectives.flatMap((objective) =>
    (objective.burnRate?.conditions ?? []).map((condition) => burnRateRule(objective, condition)),
  );
}

/** E.g. `BuildSuccessBudgetBurn1h`. */
export function burnRateAlertName(objective: string, longMs: number): string {
  const words = objective.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${words.join('')}BudgetBurn${windowName(longMs)}`;
}

function burnRateRule(objective: ObjectiveTemplate, condition: BurnRateCondition): Rule {
  const { good, total, target } = objective.burnRate as NonNullable<ObjectiveTemplate['burnRate']>;
  const budget = round(1 - target);
  const threshold = round(condition.factor * budget);
  const events = Math.max(MIN_EVENTS, Math.ceil(round(1 / threshold)));
  const all = (window: string) => total.replaceAll('$window', window).trim();
  // Without a series of good events nothing was good; without one of all events the subtraction has no result.
  const bad = (window: string) =>
    `(${all(window)} - (${good.replaceAll('$window', window).trim()} or vector(0)))`;
  const [long, short] = [windowName(condition.longMs), windowName(condition.shortMs)];
  return {
    kind: 'alert',
    name: burnRateAlertName(objective.name, condition.longMs),
    expr: [
      `${bad(long)} / (${all(long)} > 0) > ${threshold}`,
      `${bad(short)} / (${all(short)} >= ${events}) > ${threshold}`,
      `${bad(short)} >= ${MIN_BAD}`,
    ].join('\nand\n'),
    forMs: condition.forMs,
    keepFiringForMs: 0,
    labels: {
      severity: condition.severity,
      component: objective.service,
      slo: objective.name,
      burn_rate: String(condition.factor),
    },
    annotations: {
      summary: `The error budget of ${objective.name} burns ${condition.factor} times too fast`,
      description: `{{ $value | humanizePercentage }} of the events of the last ${long} were bad, and the last ${short} are no better: more than ${condition.factor} x ${round(budget * 100)} %.`,
      runbook_url: RUNBOOK,
    },
    group: `burn-rate-${objective.name}`,
    file: objective.file,
    line: objective.line,
  };
}

/** `1d` and not `24h`, as the windows are spoken of. */
function windowName(ms: number): string {
  const day = 86_400_000;
  return ms % day === 0 ? `${ms / day}d` : formatDuration(ms);
}

/** Floats such as 1 - 0.95 without their last digits. */
function round(value: number): number {
  return Number(value.toPrecision(10));
}
