import { describe, expect, it } from 'vitest';
import { RunClock } from '../clock.ts';
import { prometheusChanges } from './alerts.ts';
import type { PromSeries } from './prometheus.ts';

const clock = new RunClock();
clock.setOrigin(1_000_000);
const samples = (...ts: number[]) => ts.map((t) => ({ wallMs: 1_000_000 + t, value: 1 }));
const series = (alertstate: string, ...ts: number[]): PromSeries => ({
  labels: { __name__: 'ALERTS', alertname: 'Down', severity: 'critical', alertstate },
  samples: samples(...ts),
});
const changes = (all: PromSeries[], endMs: number) =>
  prometheusChanges(all, 250, 1_000_000 + endMs, clock).map((c) => [c.state, c.t]);

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
