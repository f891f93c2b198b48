import { describe, expect, it } from 'vitest';
import { fullJitter, retryAfterMs } from './backoff.ts';
import { Recent } from './recent.ts';
import { Slots } from './slots.ts';
import { TokenBucket } from './token-bucket.ts';
import { continueTrace } from './trace.ts';

describe('fullJitter', () => {
  it('is uniform below base * 2^attempt, capped', () => {
    expect(fullJitter(0, 100, 1000, () => 0.5)).toBe(50);
    expect(fullJitter(3, 100, 1000, () => 0.5)).toBe(400);
    expect(fullJitter(30, 100, 1000, () => 0.999)).toBeCloseTo(999);
    expect(fullJitter(5000, 100, 1000, () => 1)).toBe(1000);
    expect(fullJitter(4, 100, 1000, () => 0)).toBe(0);
  });
});

describe('retryAfterMs', () => {
  it('reads seconds and dates, and nothing else', () => {
    expect(retryAfterMs('2')).toBe(2000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:00:10 GMT', 4000)).toBe(6000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:00:01 GMT', 4000)).toBe(0);
    expect(retryAfterMs('soon')).toBeUndefined();
    expect(retryAfterMs(undefined)).toBeUndefined();
  });
});

describe('TokenBucket', () => {
  it('gives its burst at once, then its rate', () => {
    let now = 0;
    const bucket = new TokenBucket(50, 100, () => now);
    let taken = 0;
    while (bucket.take()) taken++;
    expect(taken).toBe(100);
    expect(bucket.waitMs()).toBeCloseTo(20);
    now = 19;
    expect(bucket.take()).toBe(false);
    now = 21;
    expect(bucket.take()).toBe(true);
    now = 1021;
    taken = 0;
    while (bucket.take()) taken++;
    expect(taken).toBe(50);
  });
  it('never holds more than its burst', () => {
    let now = 0;
    const bucket = new TokenBucket(1000, 3, () => now);
    now = 1e9;
    expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, true, false]);
  });
});

describe('Recent', () => {
  it('forgets the oldest', () => {
    const recent = new Recent<number>(2);
    recent.set('a', 1);
    recent.set('b', 2);
    recent.set('a', 3);
    recent.set('c', 4);
    expect([recent.get('a'), recent.get('b'), recent.get('c'), recent.size]).toEqual([3, undefined, 4, 2]);
  });
});

describe('Slots', () => {
  it('lets at most its limit in, the others in order', async () => {
    const slots = new Slots(2);
    const order: number[] = [];
    let most = 0;
    let inside = 0;
    await Promise.all(
      [1, 2, 3, 4, 5].map(async (n) => {
        await slots.acquire();
        most = Math.max(most, ++inside);
        order.push(n);
        await new Promise((done) => setTimeout(done, 2));
        inside--;
        slots.release();
      }),
    );
    expect([most, order, slots.held]).toEqual([2, [1, 2, 3, 4, 5], 0]);
  });
});

describe('continueTrace', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  it('keeps trace id and flags, and is a hop of its own', () => {
    const trace = continueTrace(`00-${id}-00f067aa0ba902b7-00`, 'hop');
    expect(trace.traceId).toBe(id);
    expect(trace.traceparent).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-00$`));
    expect(trace.traceparent).not.toContain('00f067aa0ba902b7');
  });
  it.each([undefined, '', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff-${id}-00f067aa0ba902b7-01`])(
    'begins a trace of its own for %s',
    (header) => {
      expect(continueTrace(header, 'hop').traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(continueTrace(header, 'hop').traceId).not.toBe(id);
    },
  );
});
