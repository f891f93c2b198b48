import { expect, it } from 'vitest';
import { DEFECTS } from '../platform/config.ts';
import { TARGETS } from '../targets/index.ts';

// targets/ may not know platform/, so its list is a second one: a defect that one of them lacks would be refused or do nothing.
it.each([...TARGETS.keys()])('target %s has the defects that the platform knows', (name) => {
  expect(TARGETS.get(name)?.defects).toEqual([...DEFECTS]);
});
