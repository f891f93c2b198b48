import { expect, test } from 'vitest';
import type { Abilities } from '../chaos/fault.ts';
import { loadScenarios } from '../scenarios/load.ts';
import { makePlan } from '../scenarios/plan.ts';
import { loadCatalog, shippedScenarios } from './catalog.ts';

const kind: Abilities = {
  target: 'kind',
  components: ['receiver', 'builder', 'gateway', 'operator', 'rabbitmq'],
  infrastructure: [],
  pausable: [],
  blackhole: ['rabbitmq'],
  throttle: true,
  cluster: { workers: 2, doors: ['builder'], shapers: ['tbf'] },
};
const local: Abilities = { ...kind, target: 'local' };
delete local.cluster;

function plan(name: string, abilities: Abilities, timeScale: number) {
  const file = shippedScenarios('cluster').get(name) ?? '';
  const [scenario] = loadScenarios([file]);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const { catalog } = loadCatalog({ profile: 'reference', timeScale, abilities });
  return makePlan(scenario, catalog, {
    ...{ id: 'test', seed: 1, timeScale, startedAt: '2026-01-01T00:00:00.000Z', defects: [], loadScale: {} },
    ...{ targetDetail: {}, versions: {}, host: {}, sharedCores: 2 },
  });
}

test.each([...shippedScenarios('cluster').keys()])(
  '%s can be planned, in real time and for make e2e',
  (name) => {
    expect(plan(name, kind, 1).scenario.name).toBe(name);
    expect(plan(name, kind, 10).scenario.name).toBe(name);
  },
);

test('what needs a cluster is refused where there is none', () => {
  expect(() => plan('kaniko-killed', local, 10)).toThrow(/target local is no cluster/);
  expect(() =>
    plan('dr-node-lost', { ...kind, cluster: { workers: 1, doors: [], shapers: [] } }, 10),
  ).toThrow(/has 1 workers: expected at least 2/);
});
