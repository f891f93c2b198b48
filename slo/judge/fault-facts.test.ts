import { describe, expect, it } from 'vitest';
import type { PlannedFault } from '../../evidence/plan.ts';
import { type FaultFacts, unwatchedMs } from './fault-facts.ts';

/** Seen at 1 s, looked at every 500 ms with 200 ms for a look, reverted at 4 s: at most 1000 ms may pass between two looks. */
function facts(heldMs: number[], over: Partial<FaultFacts> = {}): FaultFacts {
  const planned = { watchEveryMs: 500, effectWithinMs: 200 } as PlannedFault;
  return { planned, effectSeenMs: 1000, heldMs, lostMs: null, revertingMs: 4000, ...over } as FaultFacts;
}
const EVERY = [1500, 2000, 2500, 3000, 3500];

describe('unwatchedMs', () => {
  it.each([
    ['seen at every look', facts(EVERY), null],
    ['looks that come late', facts([1900, 2800, 3400]), null],
    ['a gap between two looks', facts([1500, 2510, 3000, 3500]), 1500],
    ['no look after the first', facts([]), 1000],
    ['no look before the revert', facts([1500, 2000, 2500, 2990]), 2990],
    ['a fault that only strikes', facts([], { planned: { watchEveryMs: null } as PlannedFault }), null],
    ['an effect that nobody saw at all', facts([], { effectSeenMs: null }), null],
    ['lost before the revert', facts(EVERY, { lostMs: 3900 }), 3500],
    ['lost by the revert', facts(EVERY, { lostMs: 4010 }), null],
    ['lost, and never reverted', facts(EVERY, { lostMs: 3900, revertingMs: null }), 3500],
    // A look may take as long as the next one is away, and no longer, however patient the probe is.
    [
      'a patient probe',
      facts([2310, 3600], { planned: { watchEveryMs: 500, effectWithinMs: 9000 } as PlannedFault }),
      1000,
    ],
  ])('%s', (_, given, since) => {
    expect(unwatchedMs(given)).toBe(since);
  });
});
