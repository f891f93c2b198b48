/** Delays between attempts. */

/** Exponential backoff with full jitter: uniform in [0, min(maxMs, baseMs * 2^attempt)); attempt counts from 0. */
export function fullJitter(attempt: number, baseMs: number, maxMs: number, random = Math.random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 40));
}

/**
 * `Retry-After` in milliseconds: seconds, or an HTTP date against `now`. Undefined when absent or unreadable.
 * RFC 9110, 10.2.3.
 */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
