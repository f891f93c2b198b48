/** What the gateway knows about functions, as the operator told it; kept while the operator is away. */
import { z } from 'zod';
import { messageOf } from '../common/log.ts';
import { wire } from '../common/wire.ts';

const TIMEOUT_MS = 2000;
/** A function that is not there is not asked for again for so long. */
const ABSENT_MS = 500;

/** One function of the operator's API, as far as the gateway needs it. */
const Served = z.object({
  name: z.string(),
  phase: z.string(),
  image: z.string().optional(),
  digest: z.string().optional(),
  handler: z.string().optional(),
  spec: z.object({
    scaling: z.object({
      minScale: z.number().optional(),
      maxScale: z.number().optional(),
      targetConcurrency: z.number().optional(),
    }),
    env: z.record(z.string(), z.string()),
  }),
});

/** A function that can be run: it has an image. */
export interface FunctionSpec {
  name: string;
  image: string;
  digest: string;
  handler: string;
  minScale: number;
  maxScale: number;
  targetConcurrency: number;
  env: Record<string, string>;
}

/** What is known about a name: a function that can run, one that cannot yet, or none. */
export type Known = { state: 'runnable'; spec: FunctionSpec } | { state: 'not-ready' } | { state: 'absent' };

/** The operator does not answer, and nothing is known from before. */
export class OperatorUnavailable extends Error {}

export class Catalog {
  readonly #operator: string;
  readonly #defaults: { maxScale: number; targetConcurrency: number };
  readonly #known = new Map<string, { known: Known; fresh: boolean; at: number }>();
  readonly #asking = new Map<string, Promise<Known>>();

  constructor(operator: string, defaults: { maxScale: number; targetConcurrency: number }) {
    this.#operator = operator;
    this.#defaults = defaults;
  }

  /** Throws OperatorUnavailable only when nothing is known from before. */
  async get(name: string): Promise<Known> {
    const entry = this.#known.get(name);
    if (entry?.fresh && (entry.known.state === 'runnable' || Date.now() - entry.at < ABSENT_MS))
      return entry.known;
    const asking = this.#asking.get(name) ?? this.#ask(name);
    this.#asking.set(name, asking);
    try {
      return await asking;
    } catch (error) {
      if (entry?.known.state === 'runnable') return entry.known;
      throw new OperatorUnavailable(messageOf(error));
    } finally {
      this.#asking.delete(name);
    }
  }

  /** The names of all functions that the operator has. */
  async list(): Promise<string[]> {
    const { status, body } = await wire({
      method: 'GET',
      url: `${this.#operator}/functions`,
      timeoutMs: TIMEOUT_MS,
    });
    if (status !== 200) throw new OperatorUnavailable(`operator: ${status}`);
    const { items } = z
      .object({ items: z.array(z.object({ name: z.string() })) })
      .parse(JSON.parse(body.toString()));
    return items.map((item) => item.name);
  }

  /** What is known about `name`, or about every function, must be asked for again. */
  invalidate(name?: string): void {
    for (const [key, entry] of this.#known) if (name === undefined || key === name) entry.fresh = false;
  }

  async #ask(name: string): Promise<Known> {
    const url = `${this.#operator}/functions/${encodeURIComponent(name)}`;
    const { status, body } = await wire({ method: 'GET', url, timeoutMs: TIMEOUT_MS });
    if (status !== 200 && status !== 404) throw new OperatorUnavailable(`operator: ${status}`);
    const known: Known =
      status === 404 ? { state: 'absent' } : this.#read(Served.parse(JSON.parse(body.toString())));
    // A name that nobody deployed is remembered for a moment only: anybody can ask for any name.
    if (known.state === 'absent' && this.#known.size > 10_000) return known;
    this.#known.set(name, { known, fresh: true, at: Date.now() });
    return known;
  }

  #read(served: z.infer<typeof Served>): Known {
    const { name, image, digest, handler, spec, phase } = served;
    if (phase === 'Deleting') return { state: 'absent' };
    if (image === undefined || digest === undefined) return { state: 'not-ready' };
    const maxScale = Math.min(spec.scaling.maxScale ?? this.#defaults.maxScale, this.#defaults.maxScale);
    return {
      state: 'runnable',
      spec: {
        name,
        image,
        digest,
        handler: handler ?? 'handler',
        minScale: Math.min(spec.scaling.minScale ?? 0, maxScale),
        maxScale,
        targetConcurrency: spec.scaling.targetConcurrency ?? this.#defaults.targetConcurrency,
        env: spec.env,
      },
    };
  }
}
