/**
 * The mandatory drain: the platform gets `drainMs` after the load's end to process what it has accepted. A run that was
 * stopped early is drained as well: work that was cut off by the harness is not work that the platform lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalFact } from '../evidence/journal.ts';
import type { Tap } from '../targets/tap.ts';

/**
 * Looks for late duplicates for this long after the last debt is paid: a second processing comes after the first. And for a scrape more:
 * what the platform did last must be in its counters when the evidence ends, or it would seem to have lied.
 */
const AFTER_MS = 1000;

/** Who hears of results may be away itself; what came meanwhile it hears when it is back. */
const BACK_WITHIN_MS = 10_000;
/** How long it may take to hear all that. */
const HEARD_WITHIN_MS = 10_000;

/** @param scrapeMs how long a scrape is waited for besides; 0: who waits has no time for it, nor for a tap that is away */
export async function drain(
  accepted: string[],
  tap: Pick<Tap, 'processed' | 'listening'>,
  drainMs: number,
  scrapeMs: number,
  journal: { write(fact: JournalFact): unknown },
): Promise<void> {
  let owed = accepted;
  const isPaid = () => {
    owed = owed.filter((id) => !tap.processed.has(id));
    return owed.length === 0;
  };
  isPaid();
  journal.write({ type: 'drain.started', outstanding: owed.length });
  await until(isPaid, drainMs);
  await sleep(AFTER_MS + scrapeMs);
  if (!tap.listening() && scrapeMs > 0) {
    await until(() => tap.listening(), BACK_WITHIN_MS);
    await until(isPaid, HEARD_WITHIN_MS);
    await sleep(AFTER_MS);
  }
  journal.write({ type: 'drain.ended', outstanding: owed.length, timedOut: owed.length > 0 });
}

async function until(enough: () => boolean, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!enough() && performance.now() < deadline) await sleep(100);
}
