/** The instances of one function: hands requests to them, holds requests while one starts, scales out, in and to zero. */
import { type Logger, messageOf } from '../common/log.ts';
import type { Slots } from '../common/slots.ts';
import type { FunctionSpec } from './catalog.ts';
import type { Images } from './images.ts';
import { Instance } from './instance.ts';
import { LoadWindow } from './load-window.ts';
import type { GatewayMetrics } from './metrics.ts';

/** No instance could be had: it did not start, or not in time. */
export class NoInstance extends Error {
  readonly kind: 'start_failed' | 'cold_start_timeout';
  constructor(kind: 'start_failed' | 'cold_start_timeout', message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface PoolOptions {
  idleMs: number;
  coldStartTimeoutMs: number;
  sockets: string;
  /** Defect: an idle function keeps its last instance. */
  forgetsScaleToZero: boolean;
}

export interface Lease {
  instance: Pick<Instance, 'call'>;
  /** The request had to wait for a start; known for sure when the call was answered. */
  cold: boolean;
  release: () => void;
}

interface Waiter {
  since: number;
  timer: NodeJS.Timeout;
  resolve: (lease: Lease) => void;
  reject: (error: NoInstance) => void;
}

export class Pool {
  #spec: FunctionSpec;
  readonly #options: PoolOptions;
  readonly #images: Images;
  readonly #starts: Slots;
  readonly #log: Logger;
  readonly #metrics: GatewayMetrics;
  readonly #instances = new Set<Instance>();
  /** Starts that have no process yet: they wait for the image or for their turn. */
  #pending = 0;
  #waiters: Waiter[] = [];
  #load: LoadWindow;
  #lastEnd = performance.now();
  #closed = false;

  constructor(
    spec: FunctionSpec,
    options: PoolOptions,
    images: Images,
    starts: Slots,
    log: Logger,
    metrics: GatewayMetrics,
  ) {
    this.#spec = spec;
    this.#options = options;
    this.#images = images;
    this.#starts = starts;
    this.#log = log;
    this.#metrics = metrics;
    // As Knative's 60 s stable window to its 30 s grace.
    this.#load = new LoadWindow((options.idleMs * 2) / 3);
    metrics.know(spec.name);
  }

  get #ready(): Instance[] {
    return [...this.#instances].filter((each) => each.serving && !each.retiring);
  }

  get inflight(): number {
    let sum = 0;
    for (const each of this.#instances) sum += each.inflight;
    return sum;
  }

  get concurrency(): number {
    return this.inflight + this.#waiters.length;
  }

  get state() {
    return {
      name: this.#spec.name,
      digest: this.#spec.digest,
      instances: this.#instances.size,
      ready: this.#ready.length,
      inflight: this.inflight,
      waiting: this.#waiters.length,
      pids: [...this.#instances].map((each) => each.pid),
    };
  }

  /** Takes over a new revision or scaling; instances of the old revision go when one of the new is ready. */
  update(spec: FunctionSpec): void {
    const changed = revisionOf(spec) !== revisionOf(this.#spec);
    this.#spec = spec;
    if (changed && this.#instances.size > 0) this.#start();
    this.tick();
  }

  /** An instance for one request; waits for one to start. Rejects with NoInstance. */
  lease(): Promise<Lease> {
    const instance = this.#pick(Number.POSITIVE_INFINITY);
    if (instance) {
      const lease = this.#hand(instance, false);
      this.#scaleOut();
      return Promise.resolve(lease);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        since: performance.now(),
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#waiters = this.#waiters.filter((each) => each !== waiter);
          this.#changed();
          const ms = this.#options.coldStartTimeoutMs;
          reject(new NoInstance('cold_start_timeout', `no instance within ${ms} ms`));
        }, this.#options.coldStartTimeoutMs),
      };
      this.#waiters.push(waiter);
      this.#changed();
      this.#scaleOut();
    });
  }

  /** The least loaded instance below `limit`; one of the old revision only when there is none of the new. */
  #pick(limit: number): Instance | undefined {
    let best: Instance | undefined;
    const revision = revisionOf(this.#spec);
    const rank = (each: Instance) => (revisionOf(each.spec) === revision ? 0 : 1e6) + each.inflight;
    for (const each of this.#ready)
      if (each.inflight < limit && (best === undefined || rank(each) < rank(best))) best = each;
    return best;
  }

  #changed(): void {
    this.#load.set(this.concurrency);
  }

  #hand(instance: Instance, cold: boolean): Lease {
    instance.inflight++;
    this.#changed();
    let held = true;
    return {
      instance,
      cold,
      release: () => {
        if (!held) return;
        held = false;
        instance.inflight--;
        this.#lastEnd = performance.now();
        this.#changed();
        if (instance.retiring && instance.inflight === 0) this.#end(instance, 'revision');
        this.#dispatch();
      },
    };
  }

  /** Hands waiting requests over; while more instances start, none gets more than its target. */
  #dispatch(): void {
    const starting =
      this.#pending > 0 || [...this.#instances].some((each) => !each.serving && !each.retiring);
    const limit = starting ? this.#spec.targetConcurrency : Number.POSITIVE_INFINITY;
    while (this.#waiters.length > 0) {
      const instance = this.#pick(limit);
      if (!instance) return;
      const waiter = this.#waiters.shift() as Waiter;
      clearTimeout(waiter.timer);
      waiter.resolve(this.#hand(instance, true));
    }
  }

  #wanted(concurrency: number): number {
    return Math.min(this.#spec.maxScale, Math.ceil(concurrency / this.#spec.targetConcurrency));
  }

  /** Starts what the present concurrency asks for, at once: requests do not wait for the next tick. */
  #scaleOut(): void {
    const active = [...this.#instances].filter((each) => !each.retiring).length + this.#pending;
    for (let missing = this.#wanted(this.concurrency) - active; missing > 0; missing--) this.#start();
  }

  #start(): void {
    if (this.#closed) return;
    const spec = this.#spec;
    const begun = performance.now();
    const fromZero = this.#instances.size + this.#pending === 0;
    const noneReady = this.#ready.length === 0;
    this.#pending++;
    this.#launch(spec)
      .then((instance) => {
        const seconds = (performance.now() - begun) / 1000;
        const first = this.#waiters[0];
        this.#log.info('function started', {
          function: spec.name,
          pid: instance.pid,
          start_ms: Math.round(seconds * 1000),
          instances: this.#instances.size,
        });
        if (fromZero) this.#metrics.scaledUp(spec.name, seconds);
        this.#dispatch();
        // With none ready before, the request that was first to wait has been handed over just now.
        if (noneReady && first)
          this.#metrics.coldStarted(spec.name, (performance.now() - first.since) / 1000);
        this.#retireOld();
      })
      .catch((error: unknown) => this.#startFailed(spec, messageOf(error)));
  }

  async #launch(spec: FunctionSpec): Promise<Instance> {
    let instance: Instance;
    let holding = false;
    try {
      const code = await this.#images.code(spec.image, spec.digest);
      await this.#starts.acquire();
      holding = true;
      if (this.#closed) throw new Error('the function is no longer there');
      instance = new Instance(spec, code, this.#options.sockets, (line) =>
        this.#log.info('function output', { function: spec.name, line }),
      );
      this.#instances.add(instance);
      instance.onServing = () => this.#dispatch();
      instance.ended.then((how) => this.#ended(instance, how));
    } catch (error) {
      if (holding) this.#starts.release();
      throw error;
    } finally {
      this.#pending--;
    }
    const limit = setTimeout(() => instance.stop(0), this.#options.coldStartTimeoutMs);
    try {
      await instance.ready;
      return instance;
    } finally {
      clearTimeout(limit);
      this.#starts.release();
    }
  }

  #startFailed(spec: FunctionSpec, reason: string): void {
    this.#log.error('function did not start', { function: spec.name, reason });
    const hope = this.#pending > 0 || [...this.#instances].some((each) => !each.retiring);
    if (hope) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      clearTimeout(waiter.timer);
      waiter.reject(new NoInstance('start_failed', `function did not start: ${reason}`));
    }
    this.#changed();
  }

  #retireOld(): void {
    const revision = revisionOf(this.#spec);
    for (const each of this.#instances)
      if (revisionOf(each.spec) !== revision) {
        each.retiring = true;
        if (each.inflight === 0) this.#end(each, 'revision');
      }
  }

  #end(instance: Instance, why: string): void {
    stopReasons.set(instance, why);
    instance.stop();
  }

  #ended(instance: Instance, how: string): void {
    this.#instances.delete(instance);
    const why = stopReasons.get(instance);
    this.#log[why ? 'info' : 'warn']('function stopped', {
      function: this.#spec.name,
      pid: instance.pid,
      reason: why ?? 'crashed',
      how,
      instances: this.#instances.size,
    });
    if (why === 'idle' && this.#instances.size === 0)
      this.#metrics.scaledToZero(this.#spec.name, (performance.now() - this.#lastEnd) / 1000);
    if (this.#waiters.length > 0) this.#scaleOut();
  }

  /** One step of the autoscaler. */
  tick(): void {
    if (this.#closed) return;
    const { minScale, maxScale } = this.#spec;
    const active = [...this.#instances].filter((each) => !each.retiring);
    const size = active.length + this.#pending;
    const mean = this.#load.mean();
    const wanted = Math.min(
      maxScale,
      Math.max(minScale, this.#wanted(this.concurrency), this.#wanted(mean), size > 0 ? 1 : 0),
    );
    for (let missing = wanted - size; missing > 0; missing--) this.#start();
    const idle = active.filter((each) => each.serving && each.inflight === 0);
    const quiet = this.concurrency === 0 && performance.now() - this.#lastEnd >= this.#options.idleMs;
    const toZero = quiet && minScale === 0 && this.#pending === 0 && !this.#options.forgetsScaleToZero;
    const excess = toZero ? idle.length : Math.min(idle.length, size - wanted);
    for (const each of idle.slice(0, Math.max(0, excess))) this.#end(each, quiet ? 'idle' : 'scale-in');
  }

  /** Ends every instance. */
  async close(why: string): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(new NoInstance('start_failed', why));
    }
    await Promise.all(
      [...this.#instances].map((each) => {
        stopReasons.set(each, why);
        return each.stop();
      }),
    );
  }
}

const stopReasons = new WeakMap<Instance, string>();
const revisions = new WeakMap<FunctionSpec, string>();

/** Two specs with the same revision may be served by the same process. */
function revisionOf(spec: FunctionSpec): string {
  let revision = revisions.get(spec);
  if (revision === undefined) {
    revision = JSON.stringify([spec.digest, spec.handler, spec.env]);
    revisions.set(spec, revision);
  }
  return revision;
}
