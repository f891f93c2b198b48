/** One invocation, however it came in: finds the function, gets an instance, calls it, counts the outcome. */
import { BodyTooLarge } from '../common/http.ts';
import { messageOf } from '../common/log.ts';
import type { FunctionSpec } from './catalog.ts';
import { type Catalog, OperatorUnavailable } from './catalog.ts';
import type { Runner } from './functions.ts';
import { type Answer, type Call, CallError } from './instance.ts';
import type { ErrorType, GatewayMetrics } from './metrics.ts';
import { NoInstance } from './pool.ts';

/** A request that an instance did not get, as it had just ended, goes to so many instances at most. */
const SENDS = 3;
const STATUS = { crash: 502, timeout: 504, start_failed: 503, cold_start_timeout: 504 } as const;

export type Invocation =
  /** The function answered, with whatever status. */
  | { kind: 'answered'; answer: Answer; cold: boolean }
  /** There is no such function. */
  | { kind: 'absent' }
  /** It could not be invoked, or gave no answer; `status` is the HTTP status that says so. */
  | { kind: 'failed'; status: number; reason: string; ran: boolean };

/** What a span says of it; undefined when it went well. */
export function failureOf(invocation: Invocation): string | undefined {
  if (invocation.kind === 'absent') return 'no such function';
  if (invocation.kind === 'failed') return invocation.reason;
  const { status } = invocation.answer;
  return status >= 500 ? `the function answered ${status}` : undefined;
}

export class Invoker {
  readonly #catalog: Catalog;
  readonly #pool: (spec: FunctionSpec) => Runner;
  readonly #metrics: GatewayMetrics;

  constructor(catalog: Catalog, pool: (spec: FunctionSpec) => Runner, metrics: GatewayMetrics) {
    this.#catalog = catalog;
    this.#pool = pool;
    this.#metrics = metrics;
  }

  /** Never rejects, except when reading `body` does. `gone` says whether nobody waits for the answer any more. */
  async invoke(
    name: string,
    call: Omit<Call, 'body'>,
    body: () => Promise<Buffer>,
    gone: () => boolean = () => false,
  ): Promise<Invocation> {
    const begun = performance.now();
    const count = (error: ErrorType | undefined) =>
      this.#metrics.invoked(name, (performance.now() - begun) / 1000, error);
    let spec: FunctionSpec;
    try {
      const known = await this.#catalog.get(name);
      if (known.state === 'absent') {
        this.#metrics.error('unknown_function');
        return { kind: 'absent' };
      }
      if (known.state === 'not-ready')
        return { kind: 'failed', status: 503, reason: 'the function is not deployed yet', ran: false };
      spec = known.spec;
    } catch (error) {
      if (!(error instanceof OperatorUnavailable)) throw error;
      this.#metrics.error('operator_unavailable');
      return { kind: 'failed', status: 503, reason: messageOf(error), ran: false };
    }
    const pool = this.#pool(spec);
    // The start and the reading of the body go on at the same time.
    const [leased, read] = await Promise.allSettled([pool.lease(), body()]);
    let lease = leased.status === 'fulfilled' ? leased.value : undefined;
    try {
      if (read.status === 'rejected') {
        if (!(read.reason instanceof BodyTooLarge)) count('client_closed');
        throw read.reason;
      }
      if (leased.status === 'rejected') throw leased.reason;
      for (let attempt = 1; ; attempt++) {
        if (gone()) {
          count('client_closed');
          return { kind: 'failed', status: 499, reason: 'the client went away', ran: false };
        }
        lease ??= await pool.lease();
        try {
          const answer = await lease.instance.call({ ...call, body: read.value });
          count(answer.status >= 500 ? 'handler_error' : undefined);
          return { kind: 'answered', answer, cold: lease.cold };
        } catch (error) {
          if (!(error instanceof CallError && error.unsent) || attempt >= SENDS) throw error;
          lease.release();
          lease = undefined;
        }
      }
    } catch (error) {
      if (!(error instanceof CallError) && !(error instanceof NoInstance)) throw error;
      count(error.kind);
      const ran = error instanceof CallError && !error.unsent;
      return { kind: 'failed', status: STATUS[error.kind], reason: error.message, ran };
    } finally {
      lease?.release();
    }
  }
}
