/**
 * Every process of a run carries the run's id in its environment, and children inherit it: RabbitMQ's epmd, which
 * daemonises itself, and a function that the gateway started are found by it although nobody here knows their pids.
 * That makes the undo of "start processes" writable before the first process exists.
 */
import { readdirSync, readFileSync } from 'node:fs';

export const RUN_MARK = 'FAULTLINE_RUN';

export interface MarkedProcess {
  pid: number;
  command: string;
  environment: Map<string, string>;
}

/** Live processes (zombies excluded) whose environment has RUN_MARK=runId. Reads /proc; others' processes are not readable and so never ours. */
export function markedProcesses(runId: string): MarkedProcess[] {
  const mark = `${RUN_MARK}=${runId}`;
  const found: MarkedProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const environ = readFileSync(`/proc/${pid}/environ`, 'utf8');
      if (!environ.includes(mark)) continue;
      const pairs = environ.split('\0');
      if (!pairs.includes(mark)) continue;
      const environment = new Map(
        pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      );
      found.push({
        pid,
        command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
        environment,
      });
    } catch {
      // Gone since the listing, or not ours to read.
    }
  }
  return found;
}

/** SIGKILLs all processes of a run until none is left: a dying parent may still fork. Resolves to the survivors (none, normally). */
export async function killMarked(runId: string, withinMs = 4000): Promise<MarkedProcess[]> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const alive = markedProcesses(runId);
    if (alive.length === 0 || Date.now() > deadline) return alive;
    for (const { pid } of alive) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
