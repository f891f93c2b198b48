/** Which share of a workload an act takes: of what its owner wants, not of what happens to be there. */
import type { Impact } from '../fault.ts';

export interface Replicas {
  /** That the act hits. */
  hit: number;
  /** That serve, and are not hit. */
  left: number;
  /** By its owner's object: spec.replicas. */
  wanted: number;
}

/**
 * What is wanted and neither hit nor left serves nobody already, whether it is not ready or was never made. Where more are there than are
 * wanted (a rollout, a scale-down) it is not known which of them go: those that are hit count in full.
 * @returns nothing of a workload that is not hit, or of which none is wanted
 */
export function shareOf(name: string, { hit, left, wanted }: Replicas): Impact['workloads'] {
  const taken = Math.min(hit, wanted);
  if (taken === 0) return [];
  const unready = Math.max(0, wanted - taken - left);
  return [{ name, hit: taken, ...(unready > 0 ? { unready } : {}), of: wanted }];
}
