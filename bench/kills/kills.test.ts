import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeKills, killsOf } from './kills.ts';

describe('judgeKills', () => {
  it('holds when all was gone in time', () => {
    const { held, said } = judgeKills(
      [3, 0, 5].map((there) => ({ there, ms: 1000 })),
      5000,
    );
    expect([held, said]).toEqual([
      true,
      '3 kills: median 1.00 s, worst 1.00 s, bound 5 s; 2 of them met something: held',
    ]);
  });

  it.each([
    ['nothing was there, so that it was gone at once', [{ there: 0, ms: 0 }]],
    ['most met nothing', [0, 0, 7].map((there) => ({ there, ms: 10 }))],
    ['one took too long', [9, 9, 9].map((there, i) => ({ there, ms: i * 2501 }))],
    ['there was none', []],
  ])('does not hold when %s', (_, kills) => expect(judgeKills(kills, 5000).held).toBe(false));
});

it('kills at the same instants with the same seed', () => {
  const [one, two] = [killsOf(['2', '7'], 20), killsOf(['2', '7'], 20)];
  expect([one.random(), one.random()]).toEqual([two.random(), two.random()]);
  expect(killsOf([], 20).kills).toBe(20);
});

it.each([
  ['zero', '1'],
  ['2', '0'],
])('bench/kill.ts refuses %s kills with seed %s before it starts anything', (...args) => {
  const kill = spawnSync(process.execPath, [join(import.meta.dirname, '../kill.ts'), ...args], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([kill.status, kill.stderr]).toEqual([64, expect.stringMatching(/^expected a number of kills/)]);
});
