import { describe, expect, test } from 'vitest';
import { intendedUs, periodNs, segmentCount } from './schedule.ts';

/** Reproducible numbers in [0, 1): mulberry32. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe('segmentCount', () => {
  test.each([
    [0, 10_000, 10, 100],
    [0, 10_000, 0.1, 1],
    [0, 10_001, 0.1, 2],
    [0, 30_000, 0.1, 3],
    [0, 1000, 3, 3],
    [500, 1500, 3, 3],
    [0, 999, 3, 3],
    [0, 100, 3, 1],
    [0, 1, 0.001, 1],
    [0, 0, 10, 0],
    [10, 5, 10, 0],
    [0, 1000, 0, 0],
    [0, 3_600_000, 0.7, 2520],
    [12.5, 20_012.5, 49.95, 999],
  ])('%d..%d ms at %d/s: %d', (start, end, rate, count) => {
    expect(segmentCount(start, end, rate)).toBe(count);
  });

  test('the last request is inside the segment and the next one is not, whatever the numbers', () => {
    const next = random(3);
    for (let i = 0; i < 20_000; i++) {
      const start = Math.round(next() * 1e6) / 10;
      const end = start + Math.round(next() * 1e6) / 10 + 0.1;
      const rate = Math.max(0.01, Math.round(next() ** 3 * 2e5) / 100);
      const count = segmentCount(start, end, rate);
      const at = (k: number): number => start + (k * 1000) / rate;
      // Half a microsecond: the resolution of the records.
      expect(at(count - 1), `${start} ${end} ${rate}`).toBeLessThan(end + 0.0005);
      expect(at(count), `${start} ${end} ${rate}`).toBeGreaterThanOrEqual(end - 0.0005);
    }
  });

  test('a segment cut in two intends as many requests when the cut is on a request', () => {
    const next = random(5);
    for (let i = 0; i < 2000; i++) {
      const rate = 1 + Math.floor(next() * 400);
      const total = 2 + Math.floor(next() * 5000);
      const cut = 1 + Math.floor(next() * (total - 1));
      const whole = segmentCount(0, (total * 1000) / rate, rate);
      const parts =
        segmentCount(0, (cut * 1000) / rate, rate) +
        segmentCount((cut * 1000) / rate, (total * 1000) / rate, rate);
      expect(parts).toBe(whole);
    }
  });

  test('refuses what is not a segment', () => {
    expect(() => segmentCount(0, 1000, -1)).toThrow(RangeError);
    expect(() => segmentCount(0, Number.POSITIVE_INFINITY, 1)).toThrow(RangeError);
    expect(() => segmentCount(0, 1000, Number.NaN)).toThrow(RangeError);
  });
});

test('intended starts are whole microseconds, evenly spaced, without drift', () => {
  for (const rate of [0.7, 3, 49.95, 1000, 7919]) {
    for (const i of [0, 1, 2, 999, 1_000_000]) {
      const us = intendedUs(1500, rate, i);
      expect(Number.isInteger(us)).toBe(true);
      expect(Math.abs(us - (1_500_000 + (i / rate) * 1e6))).toBeLessThanOrEqual(0.5);
    }
  }
});

test('the period of k6 stays within half a nanosecond of the rate', () => {
  for (const rate of [0.05, 0.7, 3, 333, 49.95, 7919])
    expect(Math.abs(periodNs(rate) - 1e9 / rate)).toBeLessThanOrEqual(0.5);
});
