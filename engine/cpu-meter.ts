/**
 * @param seconds processor time used so far, seconds; NaN while nobody can tell
 * @param now a monotonic clock, ms
 * @returns gives the share (1 = one core) since it last gave one; undefined while nobody can tell: what was used in between is in
 * the next share
 */
export function cpuMeter(seconds: () => number, now = () => performance.now()): () => number | undefined {
  let [cpu, at] = [seconds(), now()];
  return () => {
    const [cpuNow, atNow] = [seconds(), now()];
    if (Number.isNaN(cpuNow)) return undefined;
    const share = ((cpuNow - cpu) * 1000) / (atNow - at);
    [cpu, at] = [cpuNow, atNow];
    return Number.isNaN(share) ? undefined : Math.round(Math.max(0, share) * 10_000) / 10_000;
  };
}
