import { ApiException } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { isOutage, untilAnswered } from './until-answered.ts';

const refused = () => new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
const answered = (code: number) => new ApiException(code, 'said', '', {});
const never = new AbortController().signal;
const soon = () => performance.now() + 20_000;

describe('an API server that is away', () => {
  it('is asked again until it answers', async () => {
    const errors = [refused(), answered(503), answered(429)];
    const seen: string[] = [];
    const answer = await untilAnswered(
      async () => {
        const error = errors.shift();
        if (error) throw error;
        return 'created';
      },
      soon(),
      never,
      (error, attempt) => seen.push(`${attempt} ${error.name}`),
    );
    expect(answer).toBe('created');
    expect(seen).toHaveLength(3);
    expect(seen[0]).toBe('1 TypeError');
  });

  it('is asked no more once the time is over, or nobody wants it', async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
      throw refused();
    };
    await expect(untilAnswered(ask, performance.now() - 1, never)).rejects.toThrow('fetch failed');
    await expect(untilAnswered(ask, soon(), AbortSignal.abort())).rejects.toThrow('fetch failed');
    expect(asked).toBe(2);
  });

  it.each([
    ['an answer that will stay the same', answered(403)],
    ['an object that is no good', answered(422)],
    ['a mistake of our own', new TypeError('x is not a function')],
  ])('is not what %s says', async (_, error) => {
    let asked = 0;
    const ask = async () => {
      asked++;
      throw error;
    };
    await expect(untilAnswered(ask, soon(), never)).rejects.toBe(error);
    expect(asked).toBe(1);
    expect(isOutage(error)).toBe(false);
  });
});
