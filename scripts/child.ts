/** What `make demo` and `make e2e` start and outlive: it undoes what it did, and only then do they say how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';

let running: ChildProcess | undefined;
let told: ChildProcess | undefined;
let asked = false;

/** Whether a signal has asked for the end. */
export const stopped = (): boolean => asked;

// A terminal sends Ctrl-C to both.
process.on('SIGINT', () => {
  asked = true;
});
// These may come to us alone. Both are handed on as what a run ends by in order, and to each child once: a run that hears it twice undoes
// everything at once.
for (const signal of ['SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    asked = true;
    if (told !== running) running?.kill('SIGTERM');
    told = running;
  });

export interface Ended {
  code: number | null;
  /** What killed it. */
  signal: NodeJS.Signals | null;
}

/** One at a time. @throws Error when it can not be started */
export function runToEnd(command: string, args: string[], cwd: string): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: 'inherit' });
    running = child;
    child.on('error', fail);
    child.on('close', (code, signal) => {
      running = undefined;
      done({ code, signal });
    });
  });
}
