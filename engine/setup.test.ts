import { expect, it } from 'vitest';
import { HarnessError } from '../base/errors.ts';
import type { Front } from '../targets/front.ts';
import { deployFunctions } from './setup.ts';

const functions = (count: number, warm = true) => [
  { prefix: 'fn', count, warm, minScale: 0, maxScale: 1, targetConcurrency: 10 },
];
const patience = { functionsMs: 5000, functionsAtOnce: 4 };

/** A platform that is Ready at once; `answer` gives the status of the n-th call of a function, from 1, or throws what the call ends with. */
function platform(answer: (call: number) => number) {
  const calls = new Map<string, number>();
  let now = 0;
  let most = 0;
  const front: Front = {
    load: {},
    deploy: async () => {},
    phase: async () => 'Ready',
    async call(name) {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      const call = (calls.get(name) ?? 0) + 1;
      calls.set(name, call);
      return { status: answer(call), text: 'said' };
    },
    tap: () => Promise.reject(new Error('not asked for')),
  };
  return { front, calls, most: () => most };
}

const deploy = (front: Front, wanted = functions(10), signal = new AbortController().signal) =>
  deployFunctions(wanted, front, 'run', patience, signal);

it('warms functions a few at a time: all at once would be a storm of cold starts', async () => {
  const { front, calls, most } = platform(() => 200);
  expect(await deploy(front)).toHaveLength(10);
  expect([calls.size, most()]).toEqual([10, patience.functionsAtOnce]);
});

it('calls again while a busy platform gives up on a cold start, and then goes on', async () => {
  const { front, calls } = platform((call) => (call < 3 ? 504 : 200));
  await deploy(front, functions(1));
  expect(calls.get('fn-0')).toBe(3);
});

it('calls again when a connection is cut, or a call gets no answer in time', async () => {
  const { front, calls } = platform((call) => {
    if (call === 1) throw new TypeError('fetch failed', { cause: new Error('read ECONNRESET') });
    if (call === 2) throw new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    return 200;
  });
  await deploy(front, functions(1));
  expect(calls.get('fn-0')).toBe(3);
});

it('says what came of the last call when its patience is over', async () => {
  const { front, calls } = platform(() => {
    throw new TypeError('fetch failed', { cause: new Error('read ECONNRESET') });
  });
  const hurried = { ...patience, functionsMs: 700 };
  await expect(
    deployFunctions(functions(1), front, 'run', hurried, new AbortController().signal),
  ).rejects.toThrow(
    new HarnessError('function fn-0 is Ready, but gives no answer when it is called: read ECONNRESET'),
  );
  expect(calls.get('fn-0')).toBeGreaterThan(1);
});

it('takes a refusal for what it is, at once', async () => {
  const { front, calls } = platform(() => 404);
  const deployed = deploy(front, functions(1));
  await expect(deployed).rejects.toThrow(HarnessError);
  await expect(deployed).rejects.toThrow('function fn-0 is Ready, but answers 404 when it is called: said');
  expect(calls.get('fn-0')).toBe(1);
});

it('leaves alone what is not to be warmed, and stops when it is told to', async () => {
  const cold = platform(() => 200);
  await deploy(cold.front, functions(3, false));
  expect(cold.calls.size).toBe(0);
  const stop = new AbortController();
  const never = platform(() => {
    stop.abort(new Error('stopped'));
    return 503;
  });
  await expect(deploy(never.front, functions(1), stop.signal)).rejects.toThrow('stopped');
});
