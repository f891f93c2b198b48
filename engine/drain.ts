/**
 * The mandatory drain: the platform gets `drainMs` after the load's end to process what it has accepted. A run that was
 * stopped early is drained as well: work that was cut off by the harness is not work that the platform lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processed } from '../targets/tap.ts';
import type { Journal } from './journal.ts';

/** Looks for late duplicates for this long after the last debt is paid: a second processing comes after the first. */
const AFTER_MS = 1000;

export async function drain(
  accepted: string[],
  processed: ReadonlyMap<string, Processed>,
  drainMs: number,
  journal: Journal,
): Promise<void> {
  let owed = accepted.filter((id) => !processed.has(id));
  journal.write({ type: 'drain.started', outstanding: owed.length });
  const deadline = performance.now() + drainMs;
  while (owed.length > 0 && performance.now() < deadline) {
    await sleep(100);
    owed = owed.filter((id) => !processed.has(id));
  }
  await sleep(AFTER_MS);
  journal.write({ type: 'drain.ended', outstanding: owed.length, timedOut: owed.length > 0 });
}
