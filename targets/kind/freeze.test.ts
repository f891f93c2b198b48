import { expect, it } from 'vitest';
import { freezeReason } from './freeze.ts';

it('freezes by any value of the annotation but false, which is told', () => {
  const why = (value: string) => freezeReason('lab', { 'faultline.dev/freeze': value, other: 'x' });
  expect(why('oncall')).toMatch(/namespace lab has the annotation faultline\.dev\/freeze=oncall: remove it/);
  expect(why('')).toMatch(/faultline\.dev\/freeze=:/);
  expect(why('false')).toBeUndefined();
  expect(freezeReason('lab', { other: 'x' })).toBeUndefined();
  expect(freezeReason('lab')).toBeUndefined();
});
