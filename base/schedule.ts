/**
 * The open model's schedule: which requests a stretch of constant rate intends, and when.
 * A segment is half open: request i is intended at startMs + i·1000/rate while that is before endMs.
 * Used by the planner (counts), the load generator (k6's options) and the import of its records (intended starts).
 */

/** Relative slack that takes back the rounding of a product of two decimals, e.g. 0.1·30. */
const ROUNDING = 1e-9;

/**
 * Number of requests that a segment intends.
 * @param startMs inclusive, milliseconds
 * @param endMs exclusive, milliseconds
 * @param rate requests a second, any finite number >= 0
 */
export function segmentCount(startMs: number, endMs: number, rate: number): number {
  if (!Number.isFinite(startMs) || !Number.isFinite(endMs) || !Number.isFinite(rate) || rate < 0)
    throw new RangeError(`segmentCount: not a segment: ${startMs}..${endMs} ms at ${rate}/s`);
  if (endMs <= startMs || rate === 0) return 0;
  const exact = ((endMs - startMs) * rate) / 1000;
  const nearest = Math.round(exact);
  if (nearest > 0 && Math.abs(exact - nearest) <= ROUNDING * Math.max(1, nearest)) return nearest;
  return Math.ceil(exact);
}

/** Intended start of request i of a segment, whole microseconds from the run's origin. */
export function intendedUs(startMs: number, rate: number, i: number): number {
  return Math.round(startMs * 1000 + (i * 1e6) / rate);
}

/** Distance of two requests in whole nanoseconds, the resolution of k6's clock; at least 1. */
export function periodNs(rate: number): number {
  return Math.max(1, Math.round(1e9 / rate));
}
