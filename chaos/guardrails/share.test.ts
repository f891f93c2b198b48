import { expect, it } from 'vitest';
import { shareOf } from './share.ts';

it.each([
  ['all there', { hit: 1, left: 2, wanted: 3 }, [{ name: 'w', hit: 1, of: 3 }]],
  ['one not ready', { hit: 1, left: 1, wanted: 3 }, [{ name: 'w', hit: 1, unready: 1, of: 3 }]],
  ['three of five never made', { hit: 1, left: 1, wanted: 5 }, [{ name: 'w', hit: 1, unready: 3, of: 5 }]],
  ['one more in a rollout', { hit: 1, left: 3, wanted: 3 }, [{ name: 'w', hit: 1, of: 3 }]],
  ['more hit than wanted', { hit: 4, left: 0, wanted: 3 }, [{ name: 'w', hit: 3, of: 3 }]],
  ['none hit, whatever is missing', { hit: 0, left: 0, wanted: 3 }, []],
  ['none wanted any more', { hit: 2, left: 0, wanted: 0 }, []],
])('%s', (_what, replicas, expected) => {
  expect(shareOf('w', replicas)).toEqual(expected);
});
