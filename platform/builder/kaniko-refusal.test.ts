import { expect, it } from 'vitest';
import { kanikoRefusal } from './kaniko-refusal.ts';

it('finds at the end of a long line that the registry took no more requests', () => {
  const line = `error checking push permissions ${'-- make sure that you are authenticated '.repeat(12)}: TOOMANYREQUESTS: Rate exceeded`;
  expect(kanikoRefusal(`time="…" level=info\n${line}\n`)).toEqual({ message: line, throttled: true });
  expect(kanikoRefusal(`${'x'.repeat(5000)}: 429`)).toEqual({
    message: `${'x'.repeat(995)}: 429`,
    throttled: true,
  });
});

it('knows a push that failed by the digest that was written before it', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  expect(kanikoRefusal(digest)).toEqual({
    message: `${digest} was built, and could not be pushed`,
    throttled: true,
  });
});

it.each([
  ['error building image: COPY failed: no such file', false],
  ['layer of 14290 bytes', false],
  [undefined, false],
])('says of %j what it says', (left, throttled) => {
  expect(kanikoRefusal(left)).toEqual({ message: left ?? '', throttled });
});
