import { expect, test } from 'vitest';
import type { Abilities } from '../chaos/fault.ts';
import { loadScenarios } from '../scenarios/load.ts';
import { makePlan } from '../scenarios/plan.ts';
import { loadProfile } from '../targets/profile.ts';
import { loadCatalog, shippedScenarios } from './catalog.ts';

const kind: Abilities = {
  target: 'kind',
  components: ['receiver', 'builder', 'gateway', 'operator', 'rabbitmq'],
  infrastructure: [],
  pausable: [],
  blackhole: ['rabbitmq'],
  throttle: true,
  objectStore: true,
  cluster: {
    namespace: 'lab',
    owners: {},
    ...{ workers: 2, cores: 2, machines: true, doors: ['builder'], shells: ['builder'], shapers: ['tbf'] },
  },
};
const local: Abilities = { ...kind, target: 'local' };
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
  const [scenario] = loadScenarios([file]);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const { catalog } = loadCatalog({
    profile: loadProfile(objects ? 'knative-lambda-operator' : 'reference'),
    ...{ timeScale, abilities, rules: objects ? [operatorRules] : [] },
  });
  return makePlan(scenario, catalog, {
    ...{ id: 'test', seed: 1, timeScale, startedAt: '2026-01-01T00:00:00.000Z', defects: [], loadScale: {} },
    ...{ targetDetail: {}, versions: {}, host: {}, sharedCores: 2, loadPods: 0 },
  });
}

test.each([...shippedScenarios('cluster').keys()])(
  '%s can be planned, in real time and for make e2e',
  (name) => {
    expect(plan(name, kind, 1).scenario.name).toBe(name);
    expect(plan(name, kind, 10).scenario.name).toBe(name);
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
    const own = { ...kind, components: ['operator'], blackhole: [], throttle: false };
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
  expect(() => loadCatalog({ profile, timeScale: 1, abilities: kind, rules })).toThrow(
    /mine\.yaml: spec\.groups\[0\]\.rules\[0\]\.for: "1x" is not a duration/,
  );
});

test('what needs a cluster is refused where there is none', () => {
  expect(() => plan('kaniko-killed', local, 10)).toThrow(/target local is no cluster/);
  expect(() =>
    plan(
      'dr-node-lost',
      {
        ...kind,
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
