import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../../base/errors.ts';
import { RUN_MARK } from './marked.ts';

export interface Reaper {
  pid: number;
  /** Everything was undone by the harness itself: the reaper ends without acting. */
  release(): Promise<void>;
  /** Lets go of the reaper as the harness's death would: it acts, and tries again for up to an hour while something can not be undone. */
  abandon(): void;
}

/** Starts the reaper and waits until it watches. Start it before the first act, the work directory included. @throws HarnessError */
export async function startReaper(workDirectory: string, runId: string, reportFile: string): Promise<Reaper> {
  const script = fileURLToPath(new URL('./reaper-process.ts', import.meta.url));
  const { [RUN_MARK]: _mark, ...environment } = process.env;
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, resolve(workDirectory), runId, resolve(reportFile)],
    {
      // Its own session: a Ctrl-C or a killed terminal must not take it along.
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: environment,
      cwd: '/',
    },
  );
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  await new Promise<void>((watches, reject) => {
    child.stdout?.once('data', () => watches());
    child.once('error', (cause) =>
      reject(new HarnessError(`the reaper did not start: ${cause.message}`, { cause })),
    );
    child.once('exit', (code) =>
      reject(
        new HarnessError(
          `the reaper ended at once with code ${code}: run with --debug and look at its message`,
        ),
      ),
    );
  });
  child.stdout?.destroy();
  child.unref();
  child.stdin?.on('error', () => {});
  return {
    pid: child.pid as number,
    abandon: () => void child.stdin?.end(),
    async release() {
      // Not counted among what keeps this process alive until now; its end is waited for.
      child.ref();
      child.stdin?.end('release\n');
      await exited;
    },
  };
}
