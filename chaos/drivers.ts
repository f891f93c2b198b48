/** What a target lends to faults. A target that lacks a driver can not do the faults that need it, and the plan says so. */
import type { Impact, Observation } from './fault.ts';
import type { UndoOperation } from './undo/operations.ts';

export interface Address {
  host: string;
  port: number;
}

export interface ComponentDriver {
  /** Names that can be killed and paused. */
  names(): string[];
  /** What an act on the whole component takes. */
  impact(component: string): Promise<Impact>;
  /** Undo of `hold`, known before it is done; none where the end of the run's processes undoes it. */
  undoOf(component: string): UndoOperation[];
  /** Whether `hold` would be taken; changes nothing. */
  rehearse(component: string): Promise<void>;
  /** Finds out what `undoOf` will have to restore; where that can be another thing each time. */
  look?(component: string): Promise<void>;
  /** Killed, and no restart until release. @returns what was done, for the journal */
  hold(component: string): Promise<string>;
  release(component: string): Promise<void>;
  /** SIGSTOP and SIGCONT: alive, and silent. */
  pause(component: string): Promise<void>;
  resume(component: string): Promise<void>;
  /** What a fault may change of a component, as it is when it is whole; on a cluster only. */
  settings?(component: string): {
    /** kind/name, as kubectl has it, and the name of its first container. */
    object: string;
    container: string;
    image: string;
    /** Absent: its image's own. */
    command?: string[];
    memoryLimit: string;
    memoryRequest: string;
  };
  /** Seen: the component gives no answer at all. Looks through its own door, within about 500 ms. */
  probe(component: string): Promise<Observation>;
}

/** `silent`: neither an answer nor a refusal, as when packets vanish. */
export interface Reach {
  state: 'open' | 'refused' | 'silent';
  detail: string;
}

export interface NetworkDriver {
  /** What `blackhole` takes: all whose packets vanish. */
  impact(component: string): Promise<Impact>;
  /** Whether `blackhole` would be taken; changes nothing. */
  rehearse(fault: string, component: string): Promise<void>;
  /** Undo of `blackhole`, known before it is done. */
  undoOf(fault: string): UndoOperation;
  /**
   * Packets to and from the component's service port vanish in both directions; nothing is refused.
   * @param plannedMs until `restore`; where something else than this machine keeps it up, it ends by itself some time after
   */
  blackhole(fault: string, component: string, plannedMs?: number): Promise<void>;
  restore(fault: string): Promise<void>;
  /** Where the platform reaches the component. */
  address(component: string): Address;
  /** Tries to reach the component as the platform does; answers within about 500 ms. */
  reach(component: string): Promise<Reach>;
}

/** By how much is asked: at most `ratePerSecond` requests, with bursts of `burst`. Or however little is asked: of each so many requests one. */
export type RegistryLimit = { ratePerSecond: number; burst: number } | { refuseOneIn: number };

export interface ThrottleDriver {
  /** What is above is answered 429, as ECR does. */
  set(limit: RegistryLimit): Promise<void>;
  /** Every connection is cut without an answer. */
  cutOff(): Promise<void>;
  /** Ends `set` and `cutOff`. */
  clear(): Promise<void>;
  /** Requests answered 429 so far, without those of the fault's own probe. */
  throttled(): Promise<number>;
  /** The registry as the platform reaches it, throttle in between. */
  registryUrl: string;
}

/** The platform's object store. Each call throws when the store gives no answer. */
export interface ObjectDriver {
  put(key: string, text: string): Promise<void>;
  /** Of what is not there: nothing. */
  remove(key: string): Promise<void>;
  /** HTTP status of an attempt to read it, within about 500 ms. */
  status(key: string): Promise<number>;
}

/** A cluster. Objects are named as kubectl has them: kind/name. */
export interface ClusterDriver {
  /** The platform's namespace. */
  namespace: string;
  /** kubectl in the platform's namespace, unless the arguments name another. @returns what it printed */
  kubectl(...args: string[]): Promise<string>;
  /** Whether the API server would take the object: admission, validation and rights; changes nothing. */
  rehearse(object: ChaosObject): Promise<void>;
  /** Applies a Chaos Mesh object and waits until it is in place. @throws HarnessError with what Chaos Mesh said when it is not in time */
  inject(object: ChaosObject): Promise<void>;
  /** Ends `inject`: resolves when Chaos Mesh has taken the fault back. */
  recover(object: ChaosObject): Promise<void>;
  /** Labels that tell a component's pods apart. */
  labelsOf(component: string): Record<string, string>;
  /** Names of a component's pods that are not on their way out. */
  podsOf(component: string): string[];
  /** What an act on these pods of a component takes; without names, on all of them. @throws HarnessError when nobody says how many there should be */
  impactOfPods(component: string, names?: string[]): Promise<Impact>;
  /** What goes with a node: everything but what every node has of its own (DaemonSets, static pods). @throws HarnessError as well */
  impactOfNode(node: string): Promise<Impact>;
  /** Whether a connection opens from within a pod. */
  reach(fromPod: string, host: string, port: number): Promise<Reach>;
  /** Runs a shell command in a pod. @returns what it printed, error output too */
  shell(pod: string, command: string): Promise<string>;
  undo: {
    delete(object: string): UndoOperation;
    scale(object: string, replicas: number, namespace?: string): UndoOperation;
    /** `patch` is a strategic merge patch, after which `field` (JSONPath) is `value`. */
    patch(object: string, change: { patch: object; field: string; value: string }): UndoOperation;
    revive(node: string): UndoOperation;
    quicken(): UndoOperation;
  };
  /** Nodes that work can be taken from: not the control plane. */
  workers: { name: string; address: string }[];
  /** Its processes stand still, and no packet gets in or out: what a lost node looks like from outside. */
  lose(node: string): Promise<void>;
  revive(node: string): Promise<void>;
  /** Asks a component of the platform for its metrics, and waits for so long at most. */
  ask(component: string, withinMs: number): Promise<Answer>;
  /** The API server gets no more than this share of one core. */
  slowApi(share: number): Promise<void>;
  quickenApi(): Promise<void>;
  /** How long the API server takes to say that it is ready, as this host sees it, ms; no longer than 450. @throws Error when it refuses: that is not slow */
  apiAnswerMs(): Promise<number>;
}

export interface Answer {
  /** It came to its end. */
  whole: boolean;
  /** What came of it. */
  bytes: number;
  /** Until its end, or until it was waited for no longer. */
  ms: number;
}

export interface ChaosObject {
  apiVersion: 'chaos-mesh.org/v1alpha1';
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown>;
}

export interface Drivers {
  cluster?: ClusterDriver;
  components?: ComponentDriver;
  network?: NetworkDriver;
  throttle?: ThrottleDriver;
  objects?: ObjectDriver;
}
