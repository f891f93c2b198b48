import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { Objective } from '../evidence/plan.ts';
import { loadObjectives, toObjective } from './openslo.ts';

const SHIPPED = fileURLToPath(new URL('./objectives/', import.meta.url));
const files = readdirSync(SHIPPED)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => join(SHIPPED, name));
const { objectives, queries } = loadObjectives(files);
const named = (name: string) => {
  const found = objectives.find((o) => o.name === name);
  if (!found) throw new Error(`no objective ${name}`);
  return found;
};
const directory = mkdtempSync(join(tmpdir(), 'faultline-objectives-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A shipped file with one thing replaced, loaded with all the others. */
function refused(name: string, from: string | RegExp, to: string): Diagnostic[] {
  const text = readFileSync(join(SHIPPED, name), 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  const file = join(directory, name);
  writeFileSync(file, changed);
  try {
    loadObjectives([...files.filter((f) => !f.endsWith(`/${name}`)), file]);
  } catch (error) {
    if (error instanceof RefusedError) return error.diagnostics;
    throw error;
  }
  throw new Error('was not refused');
}

describe('the shipped objectives', () => {
  /** The table of the platform's targets, in its units. */
  test.each([
    ['build-success', 'gt', 0.95],
    ['build-duration', 'lt', 90],
    ['cold-start', 'lt', 5],
    ['scale-to-zero', 'lt', 300],
    ['scale-up', 'lt', 30],
    ['function-latency', 'lt', 5],
    ['function-success', 'gt', 0.95],
    ['operator-errors', 'lt', 0.01],
    ['reconcile-latency', 'lt', 0.5],
    ['workqueue-depth', 'lt', 10],
    ['warm-starts', 'gt', 0.8],
    ['command-availability', 'gte', 0.999],
    ['reconcile-success', 'gte', 0.995],
    ['queue-depth', 'lte', 100],
    ['kaniko-jobs', 'lte', 50],
  ])('%s %s %d', (name, op, target) => {
    expect(named(name)).toMatchObject({ op, target });
    expect(named(name).source).not.toBe('');
  });

  test('are judged from the client where the harness can see it', () => {
    const sides = Object.groupBy(objectives, (o) => (o.indicator.type === 'series' ? 'platform' : 'client'));
    expect(sides.platform?.map((o) => o.name)).toEqual([
      'kaniko-jobs',
      'operator-errors',
      'queue-depth',
      'reconcile-latency',
      'reconcile-success',
      'workqueue-depth',
    ]);
  });

  test('ask for as many rows as a bad one needs to fit in the budget', () => {
    for (const o of objectives.filter((each) => each.indicator.type === 'ratio' && each.target < 1)) {
      expect(o.minSamples, o.name).toBeGreaterThanOrEqual(Math.ceil(1 / (1 - o.target) - 1e-9));
    }
  });

  test('name each query of Prometheus once', () => {
    const used = objectives.flatMap((o) => (o.indicator.type === 'series' ? [o.indicator.query] : []));
    expect(queries.map((q) => q.name)).toEqual(used.toSorted());
    expect(queries.filter((q) => q.kind === 'phase').every((q) => q.query.includes('$window'))).toBe(true);
  });

  test('a Prometheus ratio does not divide by zero', () => {
    expect(queries.find((q) => q.name === 'objective.reconcile-success')?.query).toContain('> 0)');
  });
});

describe('toObjective', () => {
  test('gives what the plan takes', () => {
    for (const template of objectives)
      expect(() => Objective.parse(toObjective(template, { phases: ['run'] }, 60))).not.toThrow();
  });

  test('divides a bound that timers govern, and no other', () => {
    expect(toObjective(named('scale-to-zero'), { phases: ['run'] }, 60)).toMatchObject({
      target: 5,
      timeScaled: true,
    });
    expect(toObjective(named('scale-to-zero'), { phases: ['run'], target: 120 }, 60).target).toBe(2);
    expect(toObjective(named('scale-up'), { phases: ['run'] }, 60)).toMatchObject({
      target: 30,
      timeScaled: false,
    });
  });

  test('takes the target and the phases of the scenario', () => {
    const objective = toObjective(
      named('build-success'),
      { phases: ['baseline', 'recovered'], target: 0.5, informational: true },
      1,
    );
    expect(objective).toMatchObject({ target: 0.5, phases: ['baseline', 'recovered'], informational: true });
  });

  test('can be all of them, where the objective asks for more than a share', () => {
    const use = { phases: ['run'], target: 1 };
    expect(toObjective(named('build-success'), use, 1)).toMatchObject({ op: 'gte', target: 1 });
    expect(toObjective(named('build-success'), { phases: ['run'] }, 1)).toMatchObject({ op: 'gt' });
  });
});

describe('loadObjectives', () => {
  test('reads an SLI of its own, and a condition of its own', () => {
    const sli = join(directory, 'sli.yaml');
    const condition = join(directory, 'condition.yaml');
    const policy = join(directory, 'policy.yaml');
    const slo = join(directory, 'slo.yaml');
    const prometheus = (query: string) =>
      `{ metricSource: { type: Prometheus, spec: { query: '${query}' } } }`;
    writeFileSync(
      sli,
      `apiVersion: openslo/v1\nkind: SLI\nmetadata: { name: ok-ratio }\nspec:\n  ratioMetric:\n    counter: true\n    good: ${prometheus('sum(increase(good_total[$window]))')}\n    total: ${prometheus('sum(increase(all_total[$window]))')}\n`,
    );
    writeFileSync(
      condition,
      'apiVersion: openslo/v1\nkind: AlertCondition\nmetadata: { name: fast }\nspec: { severity: page, condition: { op: gt, threshold: 10, lookbackWindow: 2h, alertAfter: 1m } }\n',
    );
    writeFileSync(
      policy,
      'apiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: { name: p }\nspec: { alertWhenBreaching: true, conditions: [{ conditionRef: fast }], notificationTargets: [] }\n',
    );
    writeFileSync(
      slo,
      'apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: ok, annotations: { faultline.dev/source: a test } }\nspec:\n  service: s\n  indicatorRef: ok-ratio\n  budgetingMethod: Occurrences\n  objectives: [{ targetPercent: 99 }]\n  alertPolicies: [{ alertPolicyRef: p }]\n',
    );
    const loaded = loadObjectives([slo, policy, condition, sli]);
    expect(loaded.objectives).toMatchObject([
      {
        name: 'ok',
        op: 'gte',
        target: 0.99,
        indicator: { type: 'series', query: 'objective.ok', kind: 'phase' },
        burnRate: {
          good: 'sum(increase(good_total[$window]))',
          total: 'sum(increase(all_total[$window]))',
          conditions: [{ factor: 10, longMs: 7_200_000, shortMs: 600_000, forMs: 60_000 }],
        },
      },
    ]);
  });

  test.each([
    [
      'an unknown field',
      'build-success.yaml',
      'service: builder',
      'service: builder\n  colour: red',
      'unknown field',
    ],
    [
      'an unknown annotation of ours',
      'build-success.yaml',
      'faultline.dev/op',
      'faultline.dev/opp',
      'unknown annotation',
    ],
    ['a bad annotation', 'build-success.yaml', '"20"', '"many"', 'whole number'],
    ['no source', 'build-success.yaml', /^ *faultline.dev\/source.*\n/m, '', 'faultline.dev/source'],
    [
      'two bounds',
      'build-success.yaml',
      '- target: 0.95',
      '- target: 0.95\n      targetPercent: 95',
      'either target or targetPercent',
    ],
    ['a bound of 100 %', 'build-success.yaml', '- target: 0.95', '- target: 1', 'expected number to be <1'],
    ['a threshold without a value', 'cold-start.yaml', /^ *value: 5\n/m, '', 'needs op and value'],
    ['a percentile that says another thing than the target', 'cold-start.yaml', 'p95', 'p99', 'contradicts'],
    ['a table that is not there', 'cold-start.yaml', 'table: requests', 'table: request', 'Invalid option'],
    ['bad PromQL', 'queue-depth.yaml', 'sum(', 'sum((', 'PromQL syntax error'],
    ['a phase query without $window', 'reconcile-latency.yaml', '$window', '5m', 'expected $window'],
    [
      'a policy that is not there',
      'build-success.yaml',
      'budget-burn-1h',
      'budget-burn-9h',
      'no file has an AlertPolicy',
    ],
    [
      'a policy that can never fire',
      'build-success.yaml',
      '- target: 0.95',
      '- target: 0.9',
      'can never fire',
    ],
    [
      'alert policies without counts',
      'build-success.yaml',
      /^ *faultline.dev\/burn-good.*\n/m,
      '',
      'a burn rate needs',
    ],
    [
      'a bad window',
      'policy-budget-burn-1h.yaml',
      'lookbackWindow: 1h',
      'lookbackWindow: 1 hour',
      'not a duration of OpenSLO',
    ],
    [
      'a bad short window',
      'policy-budget-burn-1h.yaml',
      'short-window: 5m',
      'short-window: 5s',
      'is no short window',
    ],
    ['a kind that is not OpenSLO', 'target-on-call.yaml', 'AlertNotificationTarget', 'Pager', 'Invalid'],
    [
      'a time-scaled ratio',
      'warm-starts.yaml',
      'faultline.dev/op: gt',
      'faultline.dev/time-scaled: "true"',
      'a ratio is no time',
    ],
    ['a name that is taken', 'warm-starts.yaml', 'name: warm-starts', 'name: cold-start', 'is already in'],
  ])('refuses %s, with file, line and field', (_, name, from, to, message) => {
    const problems = refused(name, from, to);
    const found = problems.find((p) => p.message.includes(message));
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(found?.line).toBeGreaterThan(0);
    expect(found?.field).toBeTruthy();
  });
});
