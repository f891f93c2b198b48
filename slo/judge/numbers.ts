/** Numbers of a verdict: 6 significant digits, and the same text everywhere. */

/** Integers stay as they are (they are counts, seeds and exact sums); others get 6 significant digits; what is not finite is null. */
export function rounded(value: number | null | undefined): number | null {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  if (Number.isInteger(value)) return value === 0 ? 0 : value;
  return Number(value.toPrecision(6));
}

export function text(value: number | null | undefined): string {
  if (value === Number.POSITIVE_INFINITY) return 'infinite';
  if (value === Number.NEGATIVE_INFINITY) return '-infinite';
  return String(rounded(value) ?? 'no value');
}

/** Milliseconds as seconds with their unit. */
export function seconds(ms: number | null): string {
  return ms === null ? 'no time' : `${text(Number((ms / 1000).toFixed(3)))} s`;
}

export function percent(share: number): string {
  return `${text(Number((share * 100).toPrecision(4)))} %`;
}

export function compare(value: number, op: 'lt' | 'lte' | 'gt' | 'gte', target: number): boolean {
  if (op === 'lt') return value < target;
  if (op === 'lte') return value <= target;
  if (op === 'gt') return value > target;
  return value >= target;
}

export const OP_SIGN = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

/**
 * Quantile of sorted numbers by nearest rank: the smallest value that at least the share q of all values does not exceed.
 * The same definition as DuckDB's quantile_disc; always a value that was measured, so no rounding is in it.
 */
export function nearestRank(sorted: readonly number[], q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length - 1e-9) - 1)] ?? null;
}
