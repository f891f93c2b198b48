/**
 * The mandatory drain: the platform gets `drainMs` after the load's end to process what it has accepted. A run that was
 * stopped early is drained as well: work that was cut off by the harness is not work that the platform lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalFact } from '../evidence/journal.ts';
import type { Processed } from '../targets/tap.ts';

/**
 * Looks for late duplicates for this long after the last debt is paid: a second processing comes after the first. And for a scrape more:
 * what the platform did last must be in its counters when the evidence ends, or it would seem to have lied.
 */
const AFTER_MS = 1000;

/** @param scrapeMs how long a scrape is waited for besides; 0: who waits has no time for it */
export async function drain(
  accepted: string[],
  processed: ReadonlyMap<string, Processed>,
  drainMs: number,
  scrapeMs: number,
  journal: { write(fact: JournalFact): unknown },
): Promise<void> {
  let owed = accepted.filter((id) => !processed.has(id));
  journal.write({ type: 'drain.started', outstanding: owed.length });
  const deadline = performance.now() + drainMs;
  while (owed.length > 0 && performance.now() < deadline) {
    await sleep(100);
    owed = owed.filter((id) => !processed.has(id));
  }
  await sleep(AFTER_MS + scrapeMs);
  journal.write({ type: 'drain.ended', outstanding: owed.length, timedOut: owed.length > 0 });
}
