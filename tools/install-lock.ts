import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { cacheDirectory, type Machine } from './machine.ts';

const WAIT_S = 30 * 60;

/**
 * Takes the one lock of all installations into this user's cache; waits for its holder. It is the kernel's lock on a
 * file, held by a `flock` child that ends with this process, however this one ends: there is no stale lock.
 *
 * @param onWait called once, when another installation holds it
 * @returns releases the lock
 */
export async function lockInstall(
  machine: Machine,
  onWait: () => void,
  signal?: AbortSignal,
): Promise<() => void> {
  const cache = cacheDirectory(machine);
  mkdirSync(cache, { recursive: true });
  const file = join(cache, '.lock');
  const first = await tryLock(file, ['-n'], machine, signal);
  if (first !== undefined) return first;
  onWait();
  const second = await tryLock(file, ['-w', String(WAIT_S)], machine, signal);
  if (second !== undefined) return second;
  if (signal?.aborted) throw new HarnessError('Interrupted while waiting for another installation.');
  throw new HarnessError(
    `Another installation has held ${file} for ${WAIT_S / 60} minutes: end it, then try again.`,
  );
}

function tryLock(
  file: string,
  how: string[],
  machine: Machine,
  signal?: AbortSignal,
): Promise<(() => void) | undefined> {
  return new Promise((done, fail) => {
    // `cat` ends, and with it the lock, when this process closes the pipe or dies.
    const child = spawn('flock', [...how, file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
      env: machine.env,
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const abort = () => child.kill();
    signal?.addEventListener('abort', abort, { once: true });
    child.on('error', (error) =>
      fail(new HarnessError(`flock (package util-linux) is needed to install tools: ${error.message}`)),
    );
    child.stdout.once('data', () => done(() => child.stdin.end()));
    child.on('exit', () => done(undefined));
    child.stdin.on('error', () => {});
  });
}
