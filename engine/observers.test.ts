import { afterEach, expect, it, vi } from 'vitest';
import type { RunningTarget } from '../targets/target.ts';
import type { RunClock } from './clock.ts';
import type { Journal } from './journal.ts';
import { startObservers } from './observers.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** What the target says of its pods from the start on, every 250 ms. */
function observed(says: { pods: number; unseenMs?: number }[]) {
  vi.useFakeTimers();
  let now = 10_000;
  let look = 0;
  const at = () => says[Math.min(look, says.length - 1)] as { pods: number; unseenMs?: number };
  const target = {
    pods: () => new Map([['fn-0', at().pods]]),
    readyPods: () => new Map([['fn-0', at().pods]]),
    harnessCpuSeconds: () => 0,
    ...(says.some(({ unseenMs }) => unseenMs !== undefined)
      ? { podsUnseenMs: () => at().unseenMs ?? 0 }
      : {}),
  } as Partial<RunningTarget> as RunningTarget;
  const observers = startObservers({
    ...{ target, functions: ['fn-0'], generatorCpu: () => Number.NaN },
    clock: { now: () => now } as RunClock,
    journal: { write: () => {} } as unknown as Journal,
  });
  for (look = 1; look < says.length; look++) {
    now += 250;
    vi.advanceTimersByTime(250);
  }
  observers.stop();
  return observers.pods.filter(({ query }) => query !== 'pods_ready');
}

it('keeps each change of the pods, and how many there were at the end', () => {
  expect(observed([{ pods: 1 }, { pods: 1 }, { pods: 0 }, { pods: 0 }])).toEqual([
    { query: 'pods', t: 10_000, function: 'fn-0', pods: 1 },
    { query: 'pods', t: 10_500, function: 'fn-0', pods: 0 },
    { query: 'pods', t: 10_750, function: 'fn-0', pods: 0 },
  ]);
});

it('keeps when nobody saw the pods, from the last look on', () => {
  const said = observed([
    { pods: 1 },
    { pods: 1, unseenMs: 1100 },
    { pods: 1, unseenMs: 1350 },
    { pods: 0, unseenMs: 0 },
    { pods: 0, unseenMs: 1010 },
    { pods: 0, unseenMs: 1260 },
  ]);
  expect(said.filter(({ query }) => query === 'pods_unseen')).toEqual([
    { query: 'pods_unseen', t: 10_250 - 1100, pods: 1 },
    { query: 'pods_unseen', t: 10_750, pods: 0 },
    // To the end, and not from before the last.
    { query: 'pods_unseen', t: 10_750, pods: 1 },
  ]);
});
