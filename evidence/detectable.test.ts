import { expect, it } from 'vitest';
import { undetectableRules } from './detectable.ts';
import { passingRun } from './testing.ts';

it('names the rules that the run is too short, or its scrapes too far apart, to see', () => {
  const { plan } = passingRun();
  const [first] = plan.rules;
  if (!first) throw new Error('no rule');
  const rule = (alert: string, forMs: number, shortestRangeMs: number) => ({
    ...first,
    alert,
    forMs,
    shortestRangeMs,
  });
  const rules = [
    rule('Seen', 2000, 0),
    rule('SeenInItsWindow', 2000, 4 * plan.scrapeMs),
    rule('Slow', 60_000, 0),
    rule('Blind', 0, 4 * plan.scrapeMs - 1),
  ];
  expect(undetectableRules({ ...plan, rules }).map((r) => r.alert)).toEqual(['Slow', 'Blind']);
});
