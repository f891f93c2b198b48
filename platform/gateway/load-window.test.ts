import { expect, it } from 'vitest';
import { LoadWindow } from './load-window.ts';

it('gives the exact mean of what it saw, and forgets what left the window', () => {
  let now = 0;
  const load = new LoadWindow(1000, () => now);
  now = 100;
  load.set(10);
  now = 200;
  load.set(0);
  now = 500;
  expect(load.mean()).toBeCloseTo((10 * 100) / 500);
  now = 1000;
  expect(load.mean()).toBeCloseTo(1);
  now = 1499;
  expect(load.mean()).toBeCloseTo((10 * 100) / 1499);
  now = 1600;
  expect(load.mean()).toBe(0);
});
