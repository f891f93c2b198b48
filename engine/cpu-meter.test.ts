import { expect, it } from 'vitest';
import { cpuMeter } from './cpu-meter.ts';

/** Meter of a process whose processor time is read once a second, from these. */
function shares(...seconds: number[]): (number | undefined)[] {
  let [read, second] = [0, 0];
  const meter = cpuMeter(
    () => seconds[read++] as number,
    () => second++ * 1000,
  );
  return seconds.slice(1).map(() => meter());
}

it('gives the share of a core since it was last asked', () => {
  expect(shares(1, 1.5, 1.5, 3.5)).toEqual([0.5, 0, 2]);
});

it('takes nobody for idle of whom it did not hear: the time in between is in the next share', () => {
  expect(shares(1, 1.5, Number.NaN, Number.NaN, 4.5)).toEqual([0.5, undefined, undefined, 1]);
});

it('begins with the first that is heard', () => {
  expect(shares(Number.NaN, Number.NaN, 2, 2.25)).toEqual([undefined, undefined, 0.25]);
});
