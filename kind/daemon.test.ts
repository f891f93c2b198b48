import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HarnessError } from '../base/errors.ts';
import { startDaemon } from './daemon.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-daemon-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const start = (command: string, args: string[], answers: () => boolean = () => false) =>
  startDaemon({
    ...{ command, args, log: join(directory, 'log'), withinMs: 20_000 },
    answers: async () => answers(),
  });

it('returns when it answers', async () => {
  let asked = 0;
  await start('sleep', ['3'], () => ++asked === 2);
  expect(asked).toBe(2);
});

it.each([
  ['that is not there', 'faultline-no-such-daemon', [], /can not be started: .*ENOENT/],
  ['that ends at once', 'sh', ['-c', 'echo no iptables; exit 1'], /did not come up; .*\n {4}no iptables/],
])('does not wait for one %s', async (_, command, args, why) => {
  const began = performance.now();
  await expect(start(command, args)).rejects.toSatisfy(
    (error) => error instanceof HarnessError && why.test(error.message),
  );
  expect(performance.now() - began).toBeLessThan(10_000);
});
