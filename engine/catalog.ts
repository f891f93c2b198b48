/** Gathers from the other rooms what the planner must know: rules, objectives, faults and the profile of one target. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Abilities } from '../chaos/fault.ts';
import { FAULTS } from '../chaos/faults/index.ts';
import { HEARTBEAT, PROCESS_START } from '../evidence/tables.ts';
import type { Catalog } from '../scenarios/catalog.ts';
import { SCRIPTS } from '../scenarios/schema.ts';
import { burnRateRules } from '../slo/burn-rate.ts';
import { loadObjectives, toObjective } from '../slo/openslo.ts';
import {
  heartbeatRule,
  loadRules,
  plannedRules,
  type RuleContent,
  renderRules,
  scaleRules,
} from '../slo/rules.ts';
import type { Profile } from '../targets/profile.ts';
import type { NamedQueries } from './collect/series.ts';

/** Intervals of kube-prometheus-stack, which the platform runs on (PLATFORM.md, "What it stands on"): both 30 s. */
const SCRAPE_MS = 30_000;
const EVALUATION_MS = 30_000;
/** Faster than this, scraping disturbs what it measures: RabbitMQ takes up to 0.2 s to write its metrics on a busy host. */
const FASTEST_MS = 500;

export interface LoadedCatalog {
  catalog: Catalog;
  /** Rule file for Prometheus, durations divided by the time scale. */
  rules: string;
  queries: NamedQueries;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @throws RefusedError with the problems of all rule, objective and profile files. */
export function loadCatalog(options: {
  profile: Profile;
  timeScale: number;
  abilities: Abilities;
  /** Rules that the platform brings along. */
  rules?: RuleContent[];
}): LoadedCatalog {
  const { profile, timeScale, abilities } = options;
  const loaded = loadObjectives(profile.objectiveFiles);
  const rules = scaleRules(
    [
      ...loadRules(profile.ruleFiles, options.rules),
      ...(profile.burnRateAlerts ? burnRateRules(loaded.objectives) : []),
    ],
    timeScale,
  );
  const evaluationMs = Math.max(FASTEST_MS, EVALUATION_MS / timeScale);
  const objectives = new Map(loaded.objectives.map((o) => [o.name, o]));
  const catalog: Catalog = {
    target: abilities.target,
    scripts: profile.speaks.by === 'commands' ? SCRIPTS : ['builds', 'invocations'],
    tellsColdStarts: profile.speaks.by === 'commands',
    objectStore: abilities.objectStore,
    idleWindowMs: abilities.cluster?.idleWindowMs?.(timeScale) ?? 0,
    profile: { name: profile.name, sha256: profile.sha256, core: profile.core, honesty: profile.honesty },
    rules: plannedRules(rules),
    objectiveNames: [...objectives.keys()],
    objective(use) {
      const template = objectives.get(use.ref);
      return template && toObjective(template, use, timeScale);
    },
    faultKinds: [...FAULTS.keys()],
    fault(kind) {
      const fault = FAULTS.get(kind);
      return (
        fault && {
          refuse: (params) => fault.refuse(params, abilities),
          undo: fault.undo,
          probe: fault.probe,
          lasts: fault.lasts,
        }
      );
    },
    scrapeMs: Math.max(FASTEST_MS, SCRAPE_MS / timeScale),
    evaluationMs,
  };
  const named = (kind: 'raw' | 'range' | 'phase') =>
    Object.fromEntries(loaded.queries.filter((q) => q.kind === kind).map((q) => [q.name, q.query]));
  return {
    catalog,
    rules: renderRules([heartbeatRule, ...rules], evaluationMs),
    queries: {
      counters: {
        ...profile.counters,
        ...named('raw'),
        [HEARTBEAT]: HEARTBEAT,
        [PROCESS_START]: PROCESS_START,
      },
      series: { ...profile.series, ...named('range') },
      perPhase: named('phase'),
    },
  };
}

/** Scenario files shipped with Faultline, by name; those in folder `cluster` need one, those in `objects` a platform of the user's own. */
export function shippedScenarios(folder: '' | 'cluster' | 'objects' = ''): Map<string, string> {
  const directory = join(ROOT, 'scenarios', folder);
  return new Map(
    readdirSync(directory)
      .filter((f) => f.endsWith('.yaml'))
      .map((f) => [f.slice(0, -5), join(directory, f)]),
  );
}
