import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { burnRateAlertName, burnRateRules } from './burn-rate.ts';
import { loadObjectives } from './openslo.ts';
import { loadRules, plannedRules, renderRules, scaleRules } from './rules.ts';

const OBJECTIVES = fileURLToPath(new URL('./objectives/', import.meta.url));
const { objectives } = loadObjectives(
  readdirSync(OBJECTIVES)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(OBJECTIVES, name)),
);
const rules = burnRateRules(objectives);
const named = (name: string) => {
  const found = rules.find((r) => r.name === name);
  if (!found) throw new Error(`no rule ${name}`);
  return found;
};

describe('burnRateRules', () => {
  test('makes four tiers of every objective with alert policies', () => {
    const owed = objectives.filter((o) => o.burnRate).map((o) => o.name);
    expect(owed).toEqual(['build-success', 'command-availability', 'function-success', 'reconcile-success']);
    expect(rules.map((r) => r.name).sort()).toEqual(
      owed.flatMap((o) => [1, 6, 24, 72].map((h) => burnRateAlertName(o, h * 3_600_000))).sort(),
    );
  });

  test('pages on the fast tiers, makes tickets of the slow ones', () => {
    expect(
      [1, 6, 24, 72].map((h) => named(burnRateAlertName('command-availability', h * 3_600_000)).labels),
    ).toMatchObject([
      { severity: 'critical', burn_rate: '14.4' },
      { severity: 'critical', burn_rate: '6' },
      { severity: 'warning', burn_rate: '3' },
      { severity: 'warning', burn_rate: '1' },
    ]);
  });

  test('compares both windows with factor x budget, without the noise of floats', () => {
    const { expr } = named('CommandAvailabilityBudgetBurn1h');
    expect(expr.match(/\[(?:1h|5m)\]/g)).toContain('[1h]');
    expect(expr.match(/> 0\.0144$/gm)).toHaveLength(2);
  });

  test('asks for so many events that one bad one is under the threshold', () => {
    // 1 / (14.4 x 0.1 %) = 69.4; 1 / (1 x 0.1 %) = 1000; 1 / (14.4 x 5 %) = 1.4, so the floor of 10.
    expect(named('CommandAvailabilityBudgetBurn1h').expr).toContain('[5m])) >= 70)');
    expect(named('CommandAvailabilityBudgetBurn3d').expr).toContain('[6h])) >= 1000)');
    expect(named('BuildSuccessBudgetBurn1h').expr).toContain('[5m])) >= 10)');
  });

  test('windows shrink by the time scale only, and never to nothing', () => {
    const windows = plannedRules(scaleRules(rules, 60)).filter((r) => r.alert.startsWith('BuildSuccess'));
    expect(windows.map((r) => [r.rangeMs, r.shortestRangeMs])).toEqual([
      [60_000, 5_000],
      [360_000, 30_000],
      [1_440_000, 120_000],
      [4_320_000, 360_000],
    ]);
  });

  /** For use without Faultline, and for promtool's tests. After a change of an objective: `npx vitest run slo/burn-rate.test.ts -u`. */
  test('slo/rules/burn-rate.yaml is what the objectives generate', async () => {
    const head =
      '# Generated from slo/objectives by slo/burn-rate.ts, which says where the numbers come from. Do not edit.\n';
    await expect(head + renderRules(rules, 15_000)).toMatchFileSnapshot('./rules/burn-rate.yaml');
    expect(loadRules([fileURLToPath(new URL('./rules/burn-rate.yaml', import.meta.url))])).toHaveLength(
      rules.length,
    );
  });
});
