import { expect, it } from 'vitest';
import { volumeProblem } from './index.ts';

const names = new Set(['fast', 'kept']);
const keeping = new Set(['kept']);

it.each([
  ['nobody may know', undefined, undefined],
  ['volumes go with their claims', { names, keeping, byDefault: 'fast' }, undefined],
  ['there is no default', { names }, /^the cluster has no default StorageClass/],
  [
    'the default keeps them',
    { names, keeping, byDefault: 'kept' },
    /^StorageClass kept keeps volumes .* expected one with reclaimPolicy Delete as the cluster's default/,
  ],
])('%s', (_, storage, problem) => {
  const said = volumeProblem(storage);
  if (problem === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(problem);
});
