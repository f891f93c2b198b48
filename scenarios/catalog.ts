/** What the planner must know of other rooms, as data: they hand it in, so that this room imports none of them. */
import type { Objective, Plan, PlannedRule } from '../evidence/plan.ts';
import type { Scenario } from './schema.ts';

export type FaultParams = Record<string, string | number | boolean>;

export interface FaultDescription {
  /** Why this target can not do this fault with these parameters; undefined when it can. */
  refuse(params: FaultParams): string | undefined;
  /** One sentence: what undoes it. */
  undo(params: FaultParams): string;
  /** One sentence: how the effect is seen without trusting the injector. */
  probe(params: FaultParams): string;
  /** Its effect is there until the revert. */
  lasts: boolean;
}

export type ObjectiveUse = Scenario['spec']['objectives'][number];

export interface Catalog {
  target: string;
  /** Kinds of load that the platform has a way in for. */
  scripts: readonly string[];
  /** Its answers say which of them had to wait for a cold start. */
  tellsColdStarts: boolean;
  /** Sources can be put into an object store of the run's own. */
  objectStore: boolean;
  profile: { name: string; sha256: string; core: Plan['core']; honesty: Plan['honesty'] };
  /** Durations already divided by the time scale. */
  rules: PlannedRule[];
  objectiveNames: string[];
  objective(use: ObjectiveUse): Objective | undefined;
  faultKinds: string[];
  fault(kind: string): FaultDescription | undefined;
  /** A function that is idle is not scaled to zero before, ms; 0: not known. */
  idleWindowMs: number;
  /** Intervals that Prometheus will use, already divided. */
  scrapeMs: number;
  evaluationMs: number;
}
