import { expect, it } from 'vitest';
import { WorkQueue } from './workqueue.ts';

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
const hooks = { depth: () => {}, waited: () => {} };

it('does a key that was added many times once, and once more when it was added meanwhile', async () => {
  let runs = 0;
  let atOnce = 0;
  const queue = new WorkQueue(async () => {
    runs++;
    expect(++atOnce).toBe(1);
    await sleep(10);
    atOnce--;
  }, hooks);
  for (let n = 0; n < 5; n++) queue.add('a');
  await sleep(3);
  for (let n = 0; n < 5; n++) queue.add('a');
  await sleep(60);
  expect(runs).toBe(2);
});

it('comes back to what failed, later and later, and starts anew after a success', async () => {
  const at: number[] = [];
  const queue = new WorkQueue(
    async () => {
      at.push(performance.now());
      if (at.length < 4) throw new Error('not yet');
    },
    hooks,
    { baseMs: 10 },
  );
  queue.add('a');
  await sleep(200);
  expect(at.length).toBe(4);
  const gaps = at.slice(1).map((each, n) => each - (at[n] as number));
  for (const [n, least] of [10, 20, 40].entries()) expect(gaps[n]).toBeGreaterThanOrEqual(least - 1.5);
});

it('works on so many keys at a time as it has workers, and tells depth and wait', async () => {
  const depths: number[] = [];
  const waits: number[] = [];
  let most = 0;
  let now = 0;
  const queue = new WorkQueue(
    async () => {
      most = Math.max(most, ++now);
      await sleep(10);
      now--;
    },
    { depth: (items) => depths.push(items), waited: (seconds) => waits.push(seconds) },
    { workers: 2 },
  );
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
  await sleep(80);
  expect(most).toBe(2);
  expect(Math.max(...depths)).toBe(5);
  expect(depths.at(-1)).toBe(0);
  expect(waits.length).toBe(5);
  expect(waits[4]).toBeGreaterThan(0.01);
});

it('starts nothing more once it is stopped', async () => {
  let runs = 0;
  const queue = new WorkQueue(async () => void runs++, hooks);
  await queue.stop(100);
  queue.add('a');
  await sleep(10);
  expect(runs).toBe(0);
});
