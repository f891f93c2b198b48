/** What a target lends to faults. A target that lacks a driver can not do the faults that need it, and the plan says so. */
import type { UndoOperation } from './undo/operations.ts';

export interface Address {
  host: string;
  port: number;
}

export interface ComponentDriver {
  /** Names that can be killed and paused. */
  names(): string[];
  /** Undo of `hold`, known before it is done; none where the end of the run's processes undoes it. */
  undoOf(component: string): UndoOperation[];
  /** Killed, and no restart until release. @returns what was done, for the journal */
  hold(component: string): Promise<string>;
  release(component: string): Promise<void>;
  /** SIGSTOP and SIGCONT: alive, and silent. */
  pause(component: string): Promise<void>;
  resume(component: string): Promise<void>;
  /** URL whose 200 means that the component serves. */
  readyUrl(component: string): string;
}

/** `silent`: neither an answer nor a refusal, as when packets vanish. */
export interface Reach {
  state: 'open' | 'refused' | 'silent';
  detail: string;
}

export interface NetworkDriver {
  /** Undo of `blackhole`, known before it is done. */
  undoOf(fault: string): UndoOperation;
  /** Packets to and from the component's service port vanish in both directions; nothing is refused. */
  blackhole(fault: string, component: string): Promise<void>;
  restore(fault: string): Promise<void>;
  /** Where the platform reaches the component. */
  address(component: string): Address;
  /** Tries to reach the component as the platform does; answers within about 500 ms. */
  reach(component: string): Promise<Reach>;
}

export interface ThrottleDriver {
  /** At most `ratePerSecond` requests with bursts of `burst`; above: 429 as ECR answers. */
  set(limit: { ratePerSecond: number; burst: number }): Promise<void>;
  clear(): Promise<void>;
  /** Requests answered 429 so far, without those of the fault's own probe. */
  throttled(): Promise<number>;
  /** The registry as the platform reaches it, throttle in between. */
  registryUrl: string;
}

export interface Drivers {
  components?: ComponentDriver;
  network?: NetworkDriver;
  throttle?: ThrottleDriver;
}
