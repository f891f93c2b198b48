import { describe, expect, it } from 'vitest';
import { RunClock } from '../clock.ts';
import { prometheusChanges, receiverChanges } from './alerts.ts';
import type { PromSeries } from './prometheus.ts';

const clock = new RunClock();
clock.setOrigin(1_000_000);
const samples = (...ts: number[]) => ts.map((t) => ({ wallMs: 1_000_000 + t, value: 1 }));
const series = (alertstate: string, ...ts: number[]): PromSeries => ({
  labels: { __name__: 'ALERTS', alertname: 'Down', severity: 'critical', alertstate },
  samples: samples(...ts),
});
/** The heartbeat's rule group has its own instants, between those of the alert's; without those in one of the gaps. */
const beats = (endMs: number, gaps: [fromMs: number, toMs: number][] = []): PromSeries => ({
  labels: {},
  samples: samples(...Array.from({ length: Math.floor(endMs / 250) }, (_, i) => i * 250 + 100)).filter(
    ({ wallMs }) => !gaps.some(([from, to]) => wallMs - 1_000_000 > from && wallMs - 1_000_000 < to),
  ),
});
const changes = (all: PromSeries[], endMs: number, ...gaps: [fromMs: number, toMs: number][]) =>
  prometheusChanges(
    all,
    [beats(endMs, gaps)],
    { evaluationMs: 250, endWallMs: 1_000_000 + endMs },
    clock,
  ).map((c) => [c.state, c.t]);
const range = (from: number, to: number) =>
  Array.from({ length: (to - from) / 250 + 1 }, (_, i) => from + i * 250);

describe('prometheusChanges', () => {
  it('follows one instance from pending to firing to inactive', () => {
    expect(changes([series('pending', 1000, 1250), series('firing', 1500, 1750, 2000)], 5000)).toEqual([
      ['pending', 1000],
      ['firing', 1500],
      ['inactive', 2250],
    ]);
  });
  it('does not end an alert for one late evaluation', () => {
    expect(changes([series('firing', 1000, 1500, 1750)], 2000)).toEqual([['firing', 1000]]);
  });
  it('says that it fired twice when it was silent in between', () => {
    expect(changes([series('firing', 1000, 1250, 3000)], 3100).map(([state]) => state)).toEqual([
      'firing',
      'inactive',
      'firing',
    ]);
  });
  it('does not end an alert while nobody evaluated anything', () => {
    const around = series('firing', ...range(1000, 36_000), ...range(40_500, 42_000));
    expect(changes([around], 44_000, [36_000, 40_500])).toEqual([
      ['firing', 1000],
      ['inactive', 42_250],
    ]);
    // One beat that came before the alert's own group stood still, and one after.
    expect(changes([around], 44_000, [36_200, 40_300])).toHaveLength(2);
    const shorter = series('firing', ...range(25_000, 45_000), ...range(46_500, 47_500));
    expect(changes([shorter], 50_000, [45_000, 46_500])).toHaveLength(2);
  });
  it('ends an alert that was off when somebody looked again, at the first instant at which it must have been', () => {
    const gone = series('firing', ...range(1000, 36_000));
    expect(changes([gone], 44_000, [36_000, 40_500])).toEqual([
      ['firing', 1000],
      ['inactive', 40_750],
    ]);
  });
  it('leaves an alert without an end that nobody looked at any more', () => {
    expect(changes([series('firing', ...range(1000, 36_000))], 60_000, [36_000, 60_000])).toEqual([
      ['firing', 1000],
    ]);
  });
  it('leaves an alert that still fires at the end without an end', () => {
    expect(changes([series('firing', 1000, 1250)], 1500)).toEqual([['firing', 1000]]);
  });
  it('keeps instances of different labels apart', () => {
    const other: PromSeries = {
      labels: { __name__: 'ALERTS', alertname: 'Down', severity: 'page', alertstate: 'firing' },
      samples: samples(1000),
    };
    expect(changes([series('firing', 1000), other], 1100)).toHaveLength(2);
  });
  it('gives nothing for nothing', () => expect(changes([], 1000)).toEqual([]));
});

it('takes a notification that does not say since when for one of that instant', () => {
  const since = (startsAtWallMs: number) => {
    const said = { status: 'firing' as const, labels: { alertname: 'Down' }, annotations: {} };
    const [change] = receiverChanges([{ at: performance.now(), ...said, startsAtWallMs }], clock);
    return change?.source === 'receiver' ? change.startsAt - change.t : undefined;
  };
  expect(since(Number.NaN)).toBe(0);
  // Go's zero time.
  expect(since(Date.parse('0001-01-01T00:00:00Z'))).toBe(0);
  expect(since(1_001_000)).not.toBe(0);
});
