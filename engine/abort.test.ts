import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { passingRun } from '../evidence/testing.ts';
import { watchAborts } from './abort.ts';
import { RunClock } from './clock.ts';
import type { LiveLoad, LiveStats } from './load/live-tail.ts';
import type { LoadHandle } from './load/start.ts';
import type { StopReason } from './stop.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** How many requests end in each second, and how many of them failed. @returns the second in which the run was aborted, and why */
async function abortedAt(seconds: [ended: number, failed: number][]): Promise<[number, StopReason] | null> {
  const { plan } = passingRun();
  const total: LiveStats = { sent: 0, failed: 0, dropped: 0, p95Ms: 0, rate: 0 };
  const live = async (): Promise<LiveLoad> => ({ ...total, streams: { builds: { ...total } } });
  let found: StopReason | undefined;
  const watch = watchAborts({
    plan: { ...plan, run: { ...plan.run, timeScale: 10 } },
    // 5 s at this time scale.
    conditions: [{ stream: 'builds', errorShareAbove: 0.5, for: 50_000, phases: ['baseline'] }],
    load: { live } as LoadHandle,
    clock: new RunClock(),
    abort: (reason) => {
      found ??= reason;
    },
    onLive: () => {},
  });
  for (const [i, [ended, failed]] of seconds.entries()) {
    total.sent += ended;
    total.failed += failed;
    await vi.advanceTimersByTimeAsync(1000);
    if (!found) continue;
    watch.stop();
    return [i + 1, found];
  }
  watch.stop();
  return null;
}

const each = (times: number, second: [number, number]) => Array.from({ length: times }, () => second);

describe('a run whose load fails', () => {
  it('is aborted when it does so without a break for as long as the scenario says', async () => {
    const [second, reason] = (await abortedAt(each(10, [4, 4]))) ?? [];
    expect(second).toBe(6);
    expect(reason).toMatchObject({ outcome: 'aborted', blame: 'platform' });
    expect(await abortedAt([...each(4, [4, 4]), [4, 1], ...each(4, [4, 4])])).toBeNull();
  });

  it('is no break when nothing ends for a while: the stream is slow, or the platform hangs', async () => {
    const slow: [number, number][] = [[1, 1], ...each(2, [0, 0])];
    const often = Array.from({ length: 10 }, (): [number, number][] => [
      [1, 1],
      [0, 0],
    ]).flat();
    expect((await abortedAt(often))?.[0]).toBe(19);
    // Two that failed long apart are no share of anything.
    expect(await abortedAt([[1, 1], ...each(15, [0, 0]), [1, 1]])).toBeNull();
    // What ends well is one, however long ago the failure was.
    expect(await abortedAt([...slow, [1, 0], [0, 0], ...slow, ...slow])).toBeNull();
    expect(await abortedAt(each(15, [0, 0]))).toBeNull();
  });
});
