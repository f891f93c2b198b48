/** The shipped objectives over cold starts: a start that nobody saw the end of must not vanish from them. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { SyntheticRun } from '../../evidence/testing.ts';
import { loadObjectives, toObjective } from '../openslo.ts';
import { check, judged } from './testing.ts';

const fileOf = (name: string) => fileURLToPath(new URL(`../objectives/${name}.yaml`, import.meta.url));

/** Of forty calls from zero, so many had no answer. */
async function unanswered(name: string, count: number) {
  const { objectives } = loadObjectives([fileOf(name)]);
  const [template] = objectives;
  if (!template) throw new Error(`${name} is no objective`);
  const verdict = await judged((r: SyntheticRun) => {
    r.plan.objectives.push(toObjective(template, { phases: ['baseline'] }, 1));
    const calls = r.requests.filter((x) => x.stream === 'invocations' && x.phase === 'baseline').slice(0, 40);
    // Only an answer says that it was cold.
    for (const [i, call] of calls.entries())
      Object.assign(call, i < count ? { status: 0, outcome: 'timeout' } : { cold: true });
  });
  return check(verdict, `objective/${name}/baseline`).verdict;
}

it.each(['cold-start', 'cold-start-max'])('%s counts them', async (name) => {
  expect(await unanswered(name, 0)).toBe('pass');
  expect(await unanswered(name, 16)).toBe('fail');
});
