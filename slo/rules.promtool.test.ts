/** Every alert that is shipped fires, does not fire, clears and says nothing (or the right thing) without data: tried by promtool. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parsePrometheusDuration } from './rules/prometheus-duration.ts';
import { promqlMetrics } from './rules/promql.ts';
import { loadRules } from './rules.ts';

const RULES = fileURLToPath(new URL('./rules/', import.meta.url));
const TESTS = join(RULES, 'tests');
const CASES = ['fires', 'does not fire', 'clears', 'no data'] as const;

interface PromtoolFile {
  rule_files: string[];
  tests: {
    name: string;
    input_series: { series: string; values: string }[];
    alert_rule_test: { eval_time: string; alertname: string; exp_alerts: unknown[] }[];
  }[];
}

const yamlFiles = (directory: string) =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(directory, name));

const testFiles = yamlFiles(TESTS);
const tested = testFiles.flatMap((file) => {
  const content = parse(readFileSync(file, 'utf8')) as PromtoolFile;
  return content.tests.map((one) => ({ ...one, rules: content.rule_files.map((f) => resolve(TESTS, f)) }));
});

describe('promtool test rules', () => {
  // On two busy cores the slowest file takes some ten seconds.
  test.concurrent.each(testFiles.map((file) => [basename(file), file]))(
    '%s',
    { timeout: 180_000 },
    async (_, file) => {
      const { stdout } = await promisify(execFile)('promtool', ['test', 'rules', file]);
      expect(stdout).toContain('SUCCESS');
    },
  );
});

describe.each(yamlFiles(RULES).map((file) => [basename(file), file]))('%s', (_, file) => {
  const alerts = loadRules([file]).filter((rule) => rule.kind === 'alert');

  test.each(alerts.map((rule) => [rule.name, rule] as const))('%s has all four cases', (alert, rule) => {
    const own = tested.filter((one) => one.rules.includes(file) && one.name.startsWith(`${alert}: `));
    const named = (kind: (typeof CASES)[number]) =>
      own.filter((one) => one.name.slice(alert.length + 2).startsWith(kind));
    for (const kind of CASES) expect(named(kind), `"${alert}: ${kind}" in ${TESTS}`).not.toHaveLength(0);

    const outcomes = (one: (typeof own)[number]) =>
      one.alert_rule_test
        .filter((check) => check.alertname === alert)
        .toSorted(
          (a, b) =>
            (parsePrometheusDuration(a.eval_time) ?? Number.NaN) -
            (parsePrometheusDuration(b.eval_time) ?? Number.NaN),
        )
        .map((check) => check.exp_alerts.length > 0);
    for (const one of own) expect(outcomes(one), `${one.name}: checks of ${alert}`).not.toHaveLength(0);
    for (const one of named('fires')) expect(outcomes(one), one.name).toContain(true);
    for (const one of named('does not fire')) expect(outcomes(one), one.name).not.toContain(true);
    for (const one of named('clears')) {
      const firing = outcomes(one);
      expect([firing[0], firing.at(-1)], `${one.name}: fires first, not at last`).toEqual([true, false]);
    }
    // With other metrics there, and none of the rule's own: quiet, unless the rule is about their absence.
    const metrics = promqlMetrics(rule.expr);
    for (const one of named('no data')) {
      const given = one.input_series.flatMap(({ series }) => promqlMetrics(series));
      expect(
        given.filter((metric) => metrics.includes(metric)),
        one.name,
      ).toEqual([]);
      expect(outcomes(one).includes(true), one.name).toBe(rule.expr.includes('absent('));
    }
    // Where something must not fire, it must be for its values and not for want of them.
    for (const one of named('does not fire')) {
      const given = one.input_series.flatMap(({ series }) => promqlMetrics(series));
      expect(
        given.some((metric) => metrics.includes(metric)),
        `${one.name}: series of the rule`,
      ).toBe(true);
    }
    // A rule that waits is also looked at while it is pending, so that a shorter `for` is seen.
    if (rule.forMs > 0) {
      expect(
        named('fires').some((one) => outcomes(one).join().startsWith('false,true')),
        `${alert}: fires only after its for`,
      ).toBe(true);
    }
  });
});

test('no test is of an alert that does not exist', () => {
  const alerts = new Set(loadRules(yamlFiles(RULES)).map((rule) => rule.name));
  for (const one of tested) {
    expect(alerts, one.name).toContain(one.name.split(': ')[0]);
    for (const check of one.alert_rule_test) expect(alerts, one.name).toContain(check.alertname);
  }
});
