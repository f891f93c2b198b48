import { expect, it } from 'vitest';
import { hostCpu, stolenMeter } from './host-cpu.ts';

const stat = (idle: number, steal: number) =>
  `cpu  100 0 50 ${idle} 10 0 5 ${steal} 7 0\ncpu0 50 0 25 400 5 0 2 10 3 0\n`;

it('reads all cores together, without what guests had, which user time has already', () => {
  expect(hostCpu(stat(800, 35))).toEqual({ total: 1000, stolen: 35 });
});

it('gives the share that was stolen since the last look', () => {
  const looks = [stat(800, 35), stat(860, 75), stat(860, 75)].map((text) => hostCpu(text));
  const meter = stolenMeter(() => looks.shift() as ReturnType<typeof hostCpu>);
  expect(meter()).toBe(0.4);
  expect(meter()).toBe(0);
});

it('can be read here', () => {
  expect(hostCpu().total).toBeGreaterThan(0);
});
