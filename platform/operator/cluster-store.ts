/**
 * LambdaFunctions as objects of the cluster. There is one operator at a time (its Deployment is replaced, never doubled), so what
 * it knows is what the API has; a write that the API does not take is tried until it does, as a command is acknowledged only then.
 */
import { z } from 'zod';
import { fullJitter } from '../common/backoff.ts';
import { type Logger, messageOf } from '../common/log.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { LambdaFunction } from './lambda-function.ts';
import { countPhases, type Store, type Verb } from './store.ts';

const API = { apiVersion: 'lambda.knative.io/v1alpha1', kind: 'LambdaFunction' };
/** Ids of the commands taken last that an object carries: a redelivered one is not taken twice. */
const REMEMBERED = 20;
const BACKOFF_MS = { base: 100, max: 5000 };

const Taken = z.array(z.string()).default([]);

export class ClusterStore implements Store {
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #onRequest: (verb: Verb, ok: boolean) => void;
  readonly #functions = new Map<string, LambdaFunction>();
  readonly #taken = new Map<string, string[]>();
  /** The last write of each object: the next begins after it. */
  readonly #writes = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(cluster: Cluster, log: Logger, onRequest: (verb: Verb, ok: boolean) => void) {
    this.#cluster = cluster;
    this.#log = log;
    this.#onRequest = onRequest;
  }

  /** Reads what is there; to be called once, before anything else. */
  async load(): Promise<void> {
    for (const object of await this.#cluster.list(API.apiVersion, API.kind)) {
      const { name } = object.metadata;
      const { taken, uid, generation, ...status } = object.status ?? {};
      const fn = LambdaFunction.parse({ name, uid, generation, spec: object.spec, status });
      this.#functions.set(name, fn);
      this.#taken.set(name, Taken.parse(taken));
    }
    this.#onRequest('list', true);
  }

  get(name: string): LambdaFunction | undefined {
    const fn = this.#functions.get(name);
    return fn && structuredClone(fn);
  }

  list(): LambdaFunction[] {
    return [...this.#functions.values()];
  }

  phases(): Map<string, number> {
    return countPhases(this.#functions.values());
  }

  get size(): number {
    return this.#functions.size;
  }

  put(fn: LambdaFunction, command?: string): Promise<void> {
    const { name } = fn;
    const verb = this.#functions.has(name) ? 'update' : 'create';
    this.#functions.set(name, structuredClone(fn));
    if (command !== undefined)
      this.#taken.set(name, [...(this.#taken.get(name) ?? []), command].slice(-REMEMBERED));
    const { uid, generation, spec, status } = structuredClone(fn);
    const taken = this.#taken.get(name) ?? [];
    const object = { ...API, metadata: { name }, spec, status: { ...status, uid, generation, taken } };
    return this.#write(name, verb, async () => void (await this.#cluster.apply(object)));
  }

  remove(name: string): Promise<void> {
    this.#functions.delete(name);
    this.#taken.delete(name);
    return this.#write(name, 'delete', () => this.#cluster.delete(API.apiVersion, API.kind, name));
  }

  wasTaken(command: string): boolean {
    for (const ids of this.#taken.values()) if (ids.includes(command)) return true;
    return false;
  }

  stop(): void {
    this.#stopped = true;
  }

  #write(name: string, verb: Verb, write: () => Promise<void>): Promise<void> {
    const mine = (this.#writes.get(name) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#untilWritten(name, verb, write));
    this.#writes.set(name, mine);
    mine.finally(() => this.#writes.get(name) === mine && this.#writes.delete(name)).catch(() => {});
    return mine;
  }

  async #untilWritten(name: string, verb: Verb, write: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await write();
        return this.#onRequest(verb, true);
      } catch (error) {
        this.#onRequest(verb, false);
        this.#log.warn('the API did not take a write', { function: name, verb, reason: messageOf(error) });
        if (this.#stopped) throw error;
      }
      const delay = fullJitter(attempt, BACKOFF_MS.base, BACKOFF_MS.max);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
