/** One interface before `local`, `kind` and `cluster`. A target never stands in for another: the report names the one that ran. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Drivers } from '../chaos/drivers.ts';
import type { Abilities } from '../chaos/fault.ts';
import type { Right } from '../chaos/rights.ts';
import type { UndoLog } from '../chaos/undo/log.ts';
import type { Way } from '../kind/kubernetes.ts';
import type { Front } from './front.ts';

export type ComponentEvent =
  | { type: 'started'; component: string; container?: string; pid: number }
  | {
      type: 'exited';
      component: string;
      /** Of a pod that has several. */
      container?: string;
      pid: number;
      code: number | null;
      signal: string | null;
      expected: boolean;
    }
  /** A container runs from content that this component did not run from before; `id`: the digest that its runtime tells. */
  | { type: 'image'; component: string; container: string; image: string; id: string }
  | ({ type: 'unkept' } & Unkept)
  /** Gone for good: the run can not go on. `blame` tells the judge whether evidence or the platform is lost with it. */
  | { type: 'lost'; component: string; reason: string; blame: 'evidence' | 'harness' };

/** What of the log directory could not be kept, or not whole. It is for people: no check needs it. */
export interface Unkept {
  file: string;
  reason: string;
}

export interface TargetRequest {
  runId: string;
  /** Directory of the run's working files; removed by the undo that the caller has recorded. */
  workDirectory: string;
  /** Logs of components are written here (part of the bundle). */
  logDirectory: string;
  timeScale: number;
  defects: string[];
  /** Prometheus rule file, durations already scaled. */
  rules: string;
  scrapeMs: number;
  evaluationMs: number;
  /** Where Alertmanager delivers. */
  webhookUrl: string;
  /** Longest recovery that the scenario allows, ms, scaled: defect slow-recovery outlasts it. */
  longestRecoveryMs: number;
  /** What the faults of this run must be allowed to do in a cluster. */
  rights: Right[];
  /** Where the reference platform sends its spans, OTLP over HTTP; absent: nowhere. */
  spans?: string;
  undo: UndoLog;
  /** Bringing the target up is given up when this is aborted. */
  signal: AbortSignal;
  onEvent(event: ComponentEvent): void;
}

/** What a run must be allowed to do on a cluster. */
export interface RunRights {
  rights: Right[];
  /** For logs and events: a run without them tells what it lacks, and goes on. */
  wished: Right[];
  /** Namespaces that it makes. */
  made: string[];
}

/** Base URLs, as this host reaches them; what else a target has is told to who looks around. */
export type Endpoints = Record<'prometheus' | 'alertmanager' | 'registry', string> & Record<string, string>;

/** A pod beside the platform in which the load generator can run. */
export interface LoadPod {
  name: string;
  /** In which it may write. */
  directory: string;
  /** With more, it is killed. */
  memoryMiB: number;
  /** Starts a bash script in it, with all three streams; what it leaves running there goes on when it ends. */
  bash(script: string): ChildProcessWithoutNullStreams;
}

export interface RunningTarget {
  endpoints: Endpoints;
  drivers: Drivers;
  /** What ran where, for the bundle: component -> address. */
  components: Record<string, string>;
  /** Made for the run: faults may touch what is in them without the user's guardrails listing them. */
  ownNamespaces: string[];
  /** Why somebody has frozen what is under test, or undefined; a target without such a sign has none. */
  frozen?(): string | undefined;
  front: Front;
  /** Makes so many pods for the load, that go with the run; absent: the target has none. @throws HarnessError when they do not come up */
  loadPods?(count: number): Promise<LoadPod[]>;
  /** Instances by function that are there, working or not, counted from outside the platform. */
  pods(): Map<string, number>;
  /** Those of them that take requests; on a target without readiness all that run. */
  readyPods(): Map<string, number>;
  /** For how long nobody has seen them, ms: what is counted is from before; 0: they are seen. Absent: they always are. */
  podsUnseenMs?(): number;
  /** CPU seconds used so far by helper processes of the harness that this target runs (the throttle's proxy). */
  harnessCpuSeconds(): number;
  /** Ends everything in order; what does not end is killed. */
  down(): Promise<void>;
}

export interface Target {
  name: string;
  defects: string[];
  /** @throws RefusedError when the target can not be used now, with what makes it usable. */
  abilities(): Promise<Abilities>;
  /** Versions of what it is made of, for the plan. */
  versions(): Promise<Record<string, string>>;
  /** What else the report should say of it: name -> image, node count, ... */
  detail(): Promise<Record<string, string>>;
  /** Alert rules that the platform brings along: files in Prometheus's format, for the loader of rules to check. */
  rules?(): { file: string; content: unknown }[];
  /** How long functions may take to be Ready before a run, so many of them at once, and the alerts of the start-up to go away, ms. */
  patience: { functionsMs: number; functionsAtOnce: number; quietMs: number };
  /** This host as the target reaches it: where the harness listens for Alertmanager. */
  hostAddress(): Promise<string>;
  /** How the cluster is reached; absent: it is none. */
  way?(): Way;
  /**
   * What who reaches it must be allowed to do for a whole run; absent: it is no cluster.
   * @param faults what the run's faults need @param loadPods whether its load runs in pods
   */
  runRights?(faults: readonly Right[], loadPods: boolean): RunRights;
  /** @throws HarnessError when a component does not come up, with its last log lines. */
  up(request: TargetRequest): Promise<RunningTarget>;
}
