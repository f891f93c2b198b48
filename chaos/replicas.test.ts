import { expect, it } from 'vitest';
import { HarnessError } from '../base/errors.ts';
import { replicasIn } from './replicas.ts';

it('reads a number, and takes nothing else for one', () => {
  expect(replicasIn('0', 'deployment/it')).toBe(0);
  expect(replicasIn('12\n', 'deployment/it')).toBe(12);
  for (const answer of ['', '  ', '-1', 'Warning: 3', '3\n3', '1e3'])
    expect(() => replicasIn(answer, 'deployment/it')).toThrow(HarnessError);
});
