import { expect, it } from 'vitest';
import type { JournalFact } from '../evidence/journal.ts';
import type { Processed } from '../targets/tap.ts';
import { drain } from './drain.ts';

async function drained(drainMs: number, scrapeMs: number, after?: number, heardAfter = 0) {
  const written: JournalFact[] = [];
  const processed = new Map<string, Processed>();
  const began = performance.now();
  if (after !== undefined) setTimeout(() => processed.set('id', {} as Processed), after);
  const tap = { processed, listening: () => performance.now() - began >= heardAfter };
  await drain(['id'], tap, drainMs, scrapeMs, { write: (fact) => written.push(fact) });
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

it('owes what is processed after its end, while somebody listened', async () => {
  const { written } = await drained(200, 500, 800);
  expect(written.at(-1)).toEqual({ type: 'drain.ended', outstanding: 1, timedOut: true });
});

it('waits for who hears of results and is away: what the platform did meanwhile is not lost', async () => {
  const { written, ms } = await drained(200, 100, 2200, 2000);
  expect(written.at(-1)).toEqual({ type: 'drain.ended', outstanding: 0, timedOut: false });
  expect(ms).toBeLessThan(5000);
  // Of much, the last is heard some time after the first.
  const { written: much } = await drained(200, 100, 4000, 2000);
  expect(much.at(-1)).toEqual({ type: 'drain.ended', outstanding: 0, timedOut: false });
  // Not when somebody waits.
  const { written: hurried } = await drained(200, 0, 2200, 2000);
  expect(hurried.at(-1)).toEqual({ type: 'drain.ended', outstanding: 1, timedOut: true });
});
