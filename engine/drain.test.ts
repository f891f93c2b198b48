import { expect, it } from 'vitest';
import type { JournalFact } from '../evidence/journal.ts';
import type { Processed } from '../targets/tap.ts';
import { drain } from './drain.ts';

async function drained(drainMs: number, scrapeMs: number, after?: number) {
  const written: JournalFact[] = [];
  const processed = new Map<string, Processed>();
  const began = performance.now();
  if (after !== undefined) setTimeout(() => processed.set('id', {} as Processed), after);
  await drain(['id'], processed, drainMs, scrapeMs, { write: (fact) => written.push(fact) });
  return { written, ms: performance.now() - began };
}

it('lasts until the last event is processed, and until that is scraped', async () => {
  const { written, ms } = await drained(10_000, 300, 200);
  expect(written).toEqual([
    { type: 'drain.started', outstanding: 1 },
    { type: 'drain.ended', outstanding: 0, timedOut: false },
  ]);
  // The event, a second for its double, the scrape. Timers may fire a millisecond early.
  expect(ms).toBeGreaterThan(1495);
});

it('ends in any case, and tells what is owed', async () => {
  const { written } = await drained(200, 0);
  expect(written.at(-1)).toEqual({ type: 'drain.ended', outstanding: 1, timedOut: true });
});
