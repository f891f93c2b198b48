/** Plans of shipped scenarios on targets that are not there, for tests. */
import type { Abilities } from '../chaos/fault.ts';
import type { Plan } from '../evidence/plan.ts';
import { loadScenarios } from '../scenarios/load.ts';
import { makePlan } from '../scenarios/plan.ts';
import type { RuleContent } from '../slo/rules.ts';
import { stableWindowMs } from '../targets/kind/platform.ts';
import { loadProfile } from '../targets/profile.ts';
import { loadCatalog } from './catalog.ts';

/** What a kind cluster with two workers, on two cores, can do. */
export const KIND: Abilities = {
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
    idleWindowMs: stableWindowMs,
  },
};

/** @throws RefusedError as `faultline plan` does */
export function planFor(
  file: string,
  options: {
    timeScale: number;
    abilities?: Abilities;
    loadScale?: Record<string, number>;
    profile?: string;
    rules?: RuleContent[];
  },
): Plan {
  const [scenario] = loadScenarios([file]);
  if (!scenario) throw new Error(`${file} holds no scenario`);
  const { timeScale, abilities = KIND, loadScale = {}, profile = 'reference', rules = [] } = options;
  const { catalog } = loadCatalog({ profile: loadProfile(profile), timeScale, abilities, rules });
  return makePlan(scenario, catalog, {
    ...{ id: 'test', seed: 1, timeScale, startedAt: '2026-01-01T00:00:00.000Z', defects: [], loadScale },
    ...{ targetDetail: {}, versions: {}, host: {}, sharedCores: 2, loadPods: 0 },
  });
}
