/** One command at a time changes the cache, the engine's images and the cluster that stands beside it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { lockFile } from '../tools/file-lock.ts';
import type { Tell } from './cache.ts';
import { interrupt } from './command.ts';

/** Longer than all that `make cluster` may have to compile takes on two cores (docs/kind.md, "Measured"). */
const WAIT_S = 2 * 60 * 60;

/**
 * Takes the lock of a cache; waits for its holder, and says who that is.
 * @param what as the user calls it: `make cluster`
 * @returns releases it
 * @throws HarnessError when it was waited for in vain
 */
export async function lockCache(what: string, cache: string, tell: Tell): Promise<() => void> {
  mkdirSync(cache, { recursive: true });
  const file = join(cache, '.lock');
  const holder = () => readFileSync(file, 'utf8').trim() || 'another command';
  const release = await lockFile(file, {
    ...{ env: process.env, waitS: WAIT_S, signal: interrupt.signal },
    onWait: () => tell(`waiting  for ${holder()}, which has ${file}`),
  });
  if (release === undefined)
    throw new HarnessError(
      interrupt.signal.aborted
        ? `interrupted while waiting for ${holder()}`
        : `${holder()} has held ${file} for ${WAIT_S / 3600} hours: end it, then try again`,
    );
  note(file, `\`${what}\` (process ${process.pid})\n`);
  return () => {
    note(file, '');
    release();
  };
}

/** For who waits. The kernel's lock is on the file, whatever it holds. */
function note(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch {
    // It is another user's: who waits does not learn who holds it.
  }
}
