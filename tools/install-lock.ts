import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { lockFile } from './file-lock.ts';
import { cacheDirectory, type Machine } from './machine.ts';

const WAIT_S = 30 * 60;

/**
 * Takes the one lock of all installations into this user's cache; waits for its holder.
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
  const release = await lockFile(file, { env: machine.env, waitS: WAIT_S, onWait, signal });
  if (release !== undefined) return release;
  if (signal?.aborted) throw new HarnessError('Interrupted while waiting for another installation.');
  throw new HarnessError(
    `Another installation has held ${file} for ${WAIT_S / 60} minutes: end it, then try again.`,
  );
}
