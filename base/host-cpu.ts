import { readFileSync } from 'node:fs';

export interface HostCpu {
  /** Processor time of all cores since boot, idle time included, in ticks. */
  total: number;
  /** What others on the same hardware had of it while somebody here wanted to run. */
  stolen: number;
}

/** Source: proc(5), /proc/stat, line `cpu`: user nice system idle iowait irq softirq steal. */
export function hostCpu(text = readFileSync('/proc/stat', 'utf8')): HostCpu {
  const ticks = (/^cpu +(.*)$/m.exec(text)?.[1] ?? '').split(' ').slice(0, 8).map(Number);
  return { total: ticks.reduce((sum, n) => sum + n, 0), stolen: ticks[7] ?? 0 };
}

/** Returns a function that gives the share of processor time, 0..1, that was stolen since it was called last. */
export function stolenMeter(look: () => HostCpu = hostCpu): () => number {
  let before = look();
  return () => {
    const now = look();
    const total = now.total - before.total;
    const share = total > 0 ? (now.stolen - before.stolen) / total : 0;
    before = now;
    return Math.round(Math.max(0, share) * 10_000) / 10_000;
  };
}
