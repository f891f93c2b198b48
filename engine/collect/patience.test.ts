import { expect, it } from 'vitest';
import { EvidenceError, NoAnswerError } from '../../base/errors.ts';
import { Patience } from './patience.ts';

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

it('asks again while nobody answers, until it is over', async () => {
  const patience = new Patience({ withinMs: 200, againMs: 10 });
  let times = 0;
  const asked = await patience.ask(async () => {
    if (++times < 3) throw new NoAnswerError('busy');
    return times;
  });
  expect(asked).toBe(3);
  const never = patience.ask(async () => {
    times++;
    throw new NoAnswerError(`busy, ${times}`);
  });
  await expect(never).rejects.toThrow(/^busy, /);
  expect(times).toBeGreaterThan(5);
});

it('takes any other error for an answer', async () => {
  let times = 0;
  const asked = new Patience().ask(async () => {
    times++;
    throw new EvidenceError('parse error');
  });
  await expect(asked).rejects.toThrow('parse error');
  expect(times).toBe(1);
});

it('lets others have their turn while one waits: four questions that are too heavy hold up nobody', async () => {
  const patience = new Patience({ withinMs: 300, againMs: 10, silentMs: 300 });
  const heavy = Array.from({ length: 4 }, () =>
    patience.ask(async () => {
      await after(20);
      throw new NoAnswerError('too heavy');
    }),
  );
  const light = Array.from({ length: 8 }, (_, i) => patience.ask(async () => i));
  expect(await Promise.all(light)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect((await Promise.allSettled(heavy)).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
});

it('asks nothing more of a server that has been silent for so long, also when there is no time to ask again', async () => {
  let times = 0;
  const patience = new Patience({ withinMs: 0, againMs: 10, silentMs: 40 });
  const asked = Array.from({ length: 20 }, () =>
    patience.ask(async () => {
      times++;
      await after(50);
      throw new NoAnswerError('a time-out');
    }),
  );
  const began = performance.now();
  const ended = await Promise.allSettled(asked);
  expect(ended.every(({ status }) => status === 'rejected')).toBe(true);
  expect(times).toBe(4);
  expect(performance.now() - began).toBeLessThan(1000);
});
