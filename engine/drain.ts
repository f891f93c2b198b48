/** The mandatory drain: the platform gets `drainMs` after the load's end to process what it has accepted. */
import type { Journal } from './journal.ts';
import type { StopSignal } from './stop.ts';
import type { Processed } from './tap.ts';

/** Looks for late duplicates for this long after the last debt is paid: a second processing comes after the first. */
const AFTER_MS = 1000;

export async function drain(
  accepted: string[],
  processed: ReadonlyMap<string, Processed>,
  drainMs: number,
  journal: Journal,
  stop: StopSignal,
): Promise<void> {
  let owed = accepted.filter((id) => !processed.has(id));
  journal.write({ type: 'drain.started', outstanding: owed.length });
  const deadline = performance.now() + drainMs;
  while (owed.length > 0 && performance.now() < deadline && !stop.stopped) {
    await stop.sleep(100);
    owed = owed.filter((id) => !processed.has(id));
  }
  await stop.sleep(AFTER_MS);
  journal.write({ type: 'drain.ended', outstanding: owed.length, timedOut: owed.length > 0 });
}
