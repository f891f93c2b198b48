import { readFileSync } from 'node:fs';

/** CPU seconds (user + system) of a process so far; 0 when it is gone. Source: proc(5), fields 14 and 15, ticks of 10 ms. */
export function processCpuSeconds(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
