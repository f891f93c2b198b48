import { spawn } from 'node:child_process';
import { HarnessError } from '../base/errors.ts';

/** Another holds it. Source: flock(1). */
const CONFLICT = 1;

export interface LockOptions {
  env: NodeJS.ProcessEnv;
  /** How long its holder is waited for, seconds. */
  waitS: number;
  /** Called once, when another holds it. */
  onWait(): void;
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
}

/**
 * Takes the kernel's lock on a file; waits for its holder. It is held by a `flock` child that ends with this process, however this one ends:
 * there is no stale lock.
 *
 * @returns releases the lock; undefined when it was waited for in vain, or the waiting was ended
 * @throws HarnessError without `flock`, or when the file can not be locked
 */
export async function lockFile(file: string, options: LockOptions): Promise<(() => void) | undefined> {
  const first = await tryLock(file, ['-n'], options);
  if (first !== undefined) return first;
  options.onWait();
  return tryLock(file, ['-w', String(options.waitS)], options);
}

function tryLock(
  file: string,
  how: string[],
  { env, signal }: LockOptions,
): Promise<(() => void) | undefined> {
  return new Promise((done, fail) => {
    if (signal?.aborted) return done(undefined);
    // `cat` ends, and with it the lock, when this process closes the pipe or dies.
    const child = spawn('flock', [...how, file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
      ...{ env, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
    });
    const abort = () => child.kill();
    signal?.addEventListener('abort', abort, { once: true });
    // Once it is held, who is interrupted cleans up under it.
    const settled = () => signal?.removeEventListener('abort', abort);
    child.on('error', (error) =>
      fail(new HarnessError(`flock (package util-linux) is needed: ${error.message}`)),
    );
    child.stdout.once('data', () => {
      settled();
      done(() => child.stdin.end());
    });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    child.on('close', (code) => {
      settled();
      if (code === null || code === CONFLICT) done(undefined);
      else fail(new HarnessError(`${file} can not be locked: ${words.trim() || `exit code ${code}`}`));
    });
    child.stdin.on('error', () => {});
  });
}
