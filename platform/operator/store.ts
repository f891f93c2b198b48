/** Where LambdaFunctions are kept; here: in one JSON file, replaced as a whole, so that it is the old or the new state, never half. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { LambdaFunction } from './lambda-function.ts';

const State = z.object({
  version: z.literal(1),
  functions: z.array(LambdaFunction),
  /** Ids of the commands taken last, oldest first: a redelivered one is not taken twice. */
  taken: z.array(z.string()),
});
const REMEMBERED = 1000;

export type Verb = 'get' | 'list' | 'create' | 'update' | 'delete';
export const VERBS: Verb[] = ['get', 'list', 'create', 'update', 'delete'];

export interface Store {
  get(name: string): LambdaFunction | undefined;
  list(): LambdaFunction[];
  /** How many functions are in each phase; not a request. */
  phases(): Map<string, number>;
  readonly size: number;
  /** Seen by `get` at once; resolves when it is kept for good. `command`: id of the command that is taken with it. */
  put(fn: LambdaFunction, command?: string): Promise<void>;
  remove(name: string): Promise<void>;
  wasTaken(command: string): boolean;
}

export class FileStore implements Store {
  readonly #path: string;
  readonly #onRequest: (verb: Verb, ok: boolean) => void;
  readonly #functions = new Map<string, LambdaFunction>();
  #taken: string[] = [];

  /** Reads the file if it is there. Throws when it is there and is no state of ours. */
  constructor(path: string, onRequest: (verb: Verb, ok: boolean) => void) {
    this.#path = path;
    this.#onRequest = onRequest;
    mkdirSync(dirname(path), { recursive: true });
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const state = State.parse(JSON.parse(text));
    for (const fn of state.functions) this.#functions.set(fn.name, fn);
    this.#taken = state.taken;
  }

  get(name: string): LambdaFunction | undefined {
    const fn = this.#functions.get(name);
    this.#onRequest('get', true);
    return fn && structuredClone(fn);
  }

  list(): LambdaFunction[] {
    this.#onRequest('list', true);
    return [...this.#functions.values()];
  }

  phases(): Map<string, number> {
    return countPhases(this.#functions.values());
  }

  get size(): number {
    return this.#functions.size;
  }

  async put(fn: LambdaFunction, command?: string): Promise<void> {
    const verb = this.#functions.has(fn.name) ? 'update' : 'create';
    this.#functions.set(fn.name, structuredClone(fn));
    this.#save(verb, command);
  }

  async remove(name: string): Promise<void> {
    this.#functions.delete(name);
    this.#save('delete');
  }

  wasTaken(command: string): boolean {
    return this.#taken.includes(command);
  }

  #save(verb: Verb, command?: string): void {
    if (command !== undefined) this.#taken = [...this.#taken, command].slice(-REMEMBERED);
    const state = { version: 1, functions: [...this.#functions.values()], taken: this.#taken };
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(state));
      renameSync(`${this.#path}.new`, this.#path);
      this.#onRequest(verb, true);
    } catch (error) {
      this.#onRequest(verb, false);
      throw error;
    }
  }
}

export function countPhases(functions: Iterable<LambdaFunction>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { status } of functions) counts.set(status.phase, (counts.get(status.phase) ?? 0) + 1);
  return counts;
}
