/** Asking an API server that is away for a while: one that is begun anew, or whose control plane is upgraded, is no fault of who asks. */
import { fullJitter } from '../common/backoff.ts';
import { codeOf } from './cluster.ts';

/** Waits between two asks, in milliseconds, with full jitter. */
const BACKOFF_MS = { base: 200, max: 5000 };

/** The server gave no answer, or one that says "later": 429 and 5xx (Kubernetes API conventions, "HTTP status codes"). */
export function isOutage(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return code === 429 || code >= 500;
  // What fetch throws when there was no answer has a cause, or is its time-out; a mistake of our own has neither.
  const { name, cause } = error as Error;
  return cause !== undefined || name === 'TimeoutError' || name === 'AbortError';
}

/**
 * Asks until the server answers. `ask` must do no harm when it is done twice: one that was carried out can lose its answer.
 * @param until by `performance.now()`, in milliseconds; after it no new ask begins
 * @throws what the server answered, when that is no outage; the last outage, when the time is over or `signal` is aborted
 */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  until: number,
  signal: AbortSignal,
  onOutage: (error: Error, attempt: number, delayMs: number) => void = () => {},
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const delayMs = Math.round(fullJitter(attempt - 1, BACKOFF_MS.base, BACKOFF_MS.max));
      if (!isOutage(error) || signal.aborted || performance.now() + delayMs >= until) throw error;
      onOutage(error as Error, attempt, delayMs);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
