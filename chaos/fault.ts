/** The contract of a fault. Its life (planned, injected, effect seen, reverted, effect gone, audited) is led by engine/. */
import type { Drivers } from './drivers.ts';
import type { ClusterAbilities, Right } from './rights.ts';
import type { UndoOperation } from './undo/operations.ts';

export type FaultParams = Record<string, string | number | boolean>;

export interface Observation {
  /** The effect is there (before the revert: wanted; after it: not). */
  seen: boolean;
  /** What was observed, for the journal: a number, a status, an error code. */
  detail: string;
}

/** What one act takes, as it is right before it. */
export interface Impact {
  /** On a target without namespaces, a process counts as a pod. */
  pods: { namespace?: string; name: string }[];
  nodes: string[];
  /** Of the replicas that a workload is to have, those that are hit, and, where it is known, others that serve nobody already, or are not there. */
  workloads: { name: string; hit: number; unready?: number; of: number }[];
  /** Why somebody has frozen a namespace that it reaches; absent: nobody has, or it reaches none but those that are watched anyway. */
  frozen?: string;
  /** Other faults of the run whose part is in it. */
  besides?: string[];
}

/** Asked by a fault right before each of its acts. @throws GuardrailError when the user's guardrails do not allow it */
export type Allow = (impact: Impact) => void;

export interface ArmedFault {
  /** Undo operations for the reaper, written to disk before `inject`. Empty when the death of the run's processes undoes it. */
  undo: UndoOperation[];
  /** Lets the target say, before the load begins, whether it would take the act; changes nothing. @throws HarnessError with its words */
  rehearse?(): Promise<void>;
  /** Looks at what there is right now, just before `undo` is asked for and written to disk; changes nothing. */
  prepare?(): Promise<void>;
  /** Asks `allow` before it acts, and each time before it acts again. @param plannedMs until the revert @returns what was done */
  inject(allow: Allow, plannedMs?: number): Promise<string>;
  revert(): Promise<void>;
  /** Looks at the effect through the victim's own door, not through the injector. Must answer within about 500 ms. */
  probe(): Promise<Observation>;
  /** What is left of the fault after the revert. */
  audit(): Promise<string[]>;
}

export interface FaultKind {
  kind: string;
  /** Why it can not be done with these parameters on a target with these abilities; undefined when it can. Starts nothing. */
  refuse(params: FaultParams, abilities: Abilities): string | undefined;
  undo(params: FaultParams): string;
  probe(params: FaultParams): string;
  /** What it needs to be allowed in a cluster; absent: nothing of its API. */
  rights?(params: FaultParams, cluster: ClusterAbilities): Right[];
  /** The effect is there until the revert. False: it strikes, and what it hit may come back at once. */
  lasts: boolean;
  arm(name: string, params: FaultParams, drivers: Drivers): ArmedFault;
}

/** What a target says of itself before anything is started. */
export interface Abilities {
  target: string;
  /** Components that can be killed and held. */
  components: string[];
  /** What the platform stands on: can be killed and held, and nothing else. */
  infrastructure: string[];
  /** Components that can be paused. */
  pausable: string[];
  /** Components whose port can be made a black hole, or why none can. */
  blackhole: string[] | { impossible: string };
  throttle: boolean;
  /** There is one that is made for the run, in which sources can be put. */
  objectStore: boolean;
  /** There are nodes, pods and Chaos Mesh; absent: it is no cluster. */
  cluster?: {
    /** Of the platform. */
    namespace: string;
    /** What holds the pods of each component: its namespace, the kind as RBAC has it, `deployments`, and its name, where that is known. */
    owners: Record<string, { namespace: string; resource: string; name?: string }>;
    workers: number;
    /** Processors of all nodes; nodes that are containers of one host share them. */
    cores: number;
    /** Nodes and the API server's process are containers of this host: they can be stopped and limited from here. */
    machines: boolean;
    /** Components that this host can ask something of. */
    doors: string[];
    /** Components that this host asks over HTTP whether they are ready; whether others answer is looked for from within a pod. Absent: none. */
    readyDoors?: string[];
    /** Components whose containers have a shell, from which can be looked as they see it. */
    shells: string[];
    /** Queueing disciplines that the nodes' kernel has, of those that faults need. */
    shapers: string[];
    /** How long a function has no call before it is scaled to zero, at the soonest, ms: the part of it that the time scale can not divide. Absent: not known. */
    idleWindowMs?(timeScale: number): number;
  };
}

/** Complains about parameters that the fault does not have or lacks. */
export function checkParams(
  params: FaultParams,
  expected: Record<string, { type: 'string' | 'number' | 'boolean'; required?: boolean; above?: number }>,
): string | undefined {
  for (const key of Object.keys(params))
    if (!expected[key])
      return `unknown parameter "${key}": expected ${Object.keys(expected).join(', ') || 'none'}`;
  for (const [key, want] of Object.entries(expected)) {
    const value = params[key];
    if (value === undefined) {
      if (want.required) return `parameter "${key}" is missing: expected a ${want.type}`;
      continue;
    }
    if (typeof value !== want.type) return `parameter "${key}" is a ${typeof value}: expected a ${want.type}`;
    if (want.above !== undefined && (value as number) <= want.above)
      return `parameter "${key}" is ${value}: expected more than ${want.above}`;
  }
  return undefined;
}

/** For faults that only a cluster can have. */
export function refuseNoCluster(abilities: Abilities, workers = 0): string | undefined {
  if (!abilities.cluster) return `target ${abilities.target} is no cluster: expected --target kind`;
  if (abilities.cluster.workers < workers)
    return `the cluster has ${abilities.cluster.workers} workers: expected at least ${workers}`;
  return undefined;
}

export function refuseNoMachines({ target, cluster }: Abilities): string | undefined {
  if (cluster?.machines !== false) return undefined;
  return `target ${target} can not do this: its nodes are no containers of this host`;
}

/** @param able the components with which it can be done @param parameter that names the component */
export function refuseComponent(
  params: FaultParams,
  able: string[],
  abilities: Abilities,
  parameter = 'component',
): string | undefined {
  const name = String(params[parameter]);
  if (able.includes(name)) return undefined;
  return `target ${abilities.target} can not do this to a component "${name}": expected one of ${able.join(', ') || '(none)'}`;
}
