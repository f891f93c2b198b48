import { expect, test } from 'vitest';
import type { Abilities } from '../chaos/fault.ts';
import { loadScenarios } from '../scenarios/load.ts';
import { loadProfile } from '../targets/profile.ts';
import { loadCatalog, shippedScenarios } from './catalog.ts';
import { KIND, planFor } from './testing.ts';

const local: Abilities = { ...KIND, target: 'local' };
delete local.cluster;

/** The alerts of the platform that profile knative-lambda-operator is of, as its PrometheusRule names them. */
const operatorRules = {
  file: 'alertrules.yaml',
  content: {
    groups: [
      {
        name: 'operator',
        rules: [
          'KnativeLambdaOperatorDown',
          'KnativeLambdaOperatorNotReady',
          'KnativeLambdaReconcileSuccessRateLow',
          'KnativeLambdaBuildSuccessRateLow',
          'KnativeLambdaFunctionNotReady',
        ].map((alert) => ({ alert, expr: 'up == 0', for: '2m' })),
      },
    ],
  },
};

function plan(name: string, abilities: Abilities, timeScale: number, objects = false) {
  const file = shippedScenarios(objects ? 'objects' : 'cluster').get(name) ?? '';
  const own = { profile: 'knative-lambda-operator', rules: [operatorRules] };
  return planFor(file, { timeScale, abilities, ...(objects ? own : {}) });
}

test.each([...shippedScenarios('cluster').keys()])(
  '%s can be planned, in real time and for make e2e',
  (name) => {
    expect(plan(name, KIND, 1).scenario.name).toBe(name);
    expect(plan(name, KIND, 10).scenario.name).toBe(name);
  },
);

test.each((['', 'cluster', 'objects'] as const).flatMap((folder) => [...shippedScenarios(folder).values()]))(
  '%s: each clause of its claim names what judges it',
  (file) => {
    expect(loadScenarios([file])[0]?.value.spec.claim).toBeInstanceOf(Array);
  },
);

test.each([...shippedScenarios('objects').keys()])(
  '%s can be planned for a platform of the user, in real time and faster',
  (name) => {
    const own = { ...KIND, components: ['operator'], blackhole: [], throttle: false };
    expect(plan(name, own, 1, true).scenario.name).toBe(name);
    const { alerts, honesty } = plan(name, own, 10, true);
    expect(alerts.filter(({ anytime }) => anytime)).toHaveLength(3);
    expect(honesty.map(({ counter }) => counter)).toContain('builds_failed');
  },
);

test('rules that a platform brings along are checked as files are, with the field', () => {
  const rules = [
    {
      file: 'mine.yaml',
      content: { groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'sum(', for: '1x' }] }] },
    },
  ];
  const profile = loadProfile('knative-lambda-operator');
  expect(() => loadCatalog({ profile, timeScale: 1, abilities: KIND, rules })).toThrow(
    /mine\.yaml: spec\.groups\[0\]\.rules\[0\]\.for: "1x" is not a duration/,
  );
});

test('what needs a cluster is refused where there is none', () => {
  expect(() => plan('kaniko-killed', local, 10)).toThrow(/target local is no cluster/);
  expect(() =>
    plan(
      'dr-node-lost',
      {
        ...KIND,
        cluster: {
          namespace: 'lab',
          owners: {},
          workers: 1,
          cores: 2,
          machines: true,
          doors: [],
          shells: [],
          shapers: [],
        },
      },
      10,
    ),
  ).toThrow(/has 1 workers: expected at least 2/);
});

test('a bound on scale-to-zero that no platform there could hold is refused', () => {
  const file = shippedScenarios().get('scale-to-zero-burst') ?? '';
  expect(planFor(file, { timeScale: 10 }).scenario.name).toBe('scale-to-zero-burst');
  expect(() => planFor(file, { timeScale: 60 })).toThrow(
    /"scale-to-zero" is 5 s at this time scale, and on target kind nothing is scaled to zero before 6s/,
  );
});
