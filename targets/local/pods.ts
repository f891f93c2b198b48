/**
 * Counts function processes from /proc: the platform's own word is not asked. A look at every process's environment
 * costs 15 ms on a busy host, so each process is looked at once; a young one twice, because between fork and exec it
 * still shows its parent's environment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { RUN_MARK } from '../../chaos/undo/marked.ts';

/** Set by the gateway for every function process (platform/README.md). */
const FUNCTION_VARIABLE = 'LAMBDA_FUNCTION=';
const YOUNG_MS = 1500;

export class PodCounter {
  private readonly mark: string;
  private readonly known = new Map<number, { function: string | undefined; firstSeen: number }>();

  constructor(runId: string) {
    this.mark = `${RUN_MARK}=${runId}`;
  }

  count(now = performance.now()): Map<string, number> {
    const pods = new Map<string, number>();
    const alive = new Set<number>();
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry);
      if (!(pid > 0)) continue;
      alive.add(pid);
      let known = this.known.get(pid);
      if (known === undefined || (known.function === undefined && now - known.firstSeen < YOUNG_MS)) {
        known = { function: this.functionOf(pid), firstSeen: known?.firstSeen ?? now };
        this.known.set(pid, known);
      }
      if (known.function !== undefined) pods.set(known.function, (pods.get(known.function) ?? 0) + 1);
    }
    for (const pid of this.known.keys()) if (!alive.has(pid)) this.known.delete(pid);
    return pods;
  }

  private functionOf(pid: number): string | undefined {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (!environment.includes(this.mark)) return undefined;
      return environment.find((pair) => pair.startsWith(FUNCTION_VARIABLE))?.slice(FUNCTION_VARIABLE.length);
    } catch {
      return undefined;
    }
  }
}
