/** One log is carried out by one process at a time: a run at its end, its reaper, and `faultline clean` may come to it at once. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processLives, thisProcess } from '../../base/process-start.ts';

const FILE = 'undoing';
const LOOK_EVERY_MS = 200;
/** Longer than any cluster takes to let a platform go: who has not done by then stands still. */
const WAIT_MS = 10 * 60_000;

/**
 * Waits for who is at it. Of two that find at the same instant that the holder is dead, both may go on: undos bear that.
 * @param directory of the log
 * @throws Error when another is at it for ten minutes
 */
export async function inTurn<T>(directory: string, act: () => Promise<T>): Promise<T> {
  const file = join(directory, FILE);
  const own = thisProcess();
  const began = performance.now();
  let waited = false;
  while (!take(file, own)) {
    const holder = read(file);
    // This process itself: a second Ctrl-C does not wait for the end that the first asked for.
    if (holder === own) return act();
    if (holder !== undefined && !processLives(holder)) rmSync(file, { force: true });
    else if (holder !== undefined) {
      if (!waited) process.stderr.write(`process ${holder.split(' ')[0]} is undoing ${directory}: waiting\n`);
      waited = true;
      if (performance.now() - began > WAIT_MS)
        throw new Error(
          `process ${holder.split(' ')[0]} has been undoing ${directory} for ${WAIT_MS / 60_000} minutes: end it, then \`faultline clean\``,
        );
      await sleep(LOOK_EVERY_MS);
    }
  }
  try {
    return await act();
  } finally {
    if (read(file) === own) rmSync(file, { force: true });
  }
}

/** @returns false when another has it */
function take(file: string, own: string): boolean {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, own);
    // With its content, or not at all.
    linkSync(draft, file);
    return true;
  } catch (error) {
    // No directory, and so nothing to undo; no space, and the undo counts more than the turn.
    return (error as NodeJS.ErrnoException).code !== 'EEXIST';
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Undefined when it was let go of since. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
