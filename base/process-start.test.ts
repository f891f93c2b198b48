import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { markOf, processLives, thisProcess } from './process-start.ts';

it('tells a process that lives from one that is gone, and from another of the same pid', () => {
  expect(processLives(thisProcess())).toBe(true);
  const [pid, started, boot] = thisProcess().split(' ');
  expect(processLives(`${pid} 1 ${boot}`)).toBe(false);
  expect(processLives(`999999999 ${started} ${boot}`)).toBe(false);
  expect(processLives('')).toBe(false);
});

it('takes one of before the last boot for gone, though its pid and its tick are another’s now', () => {
  const [pid, started] = thisProcess().split(' ');
  expect(processLives(`${pid} ${started} 00000000-0000-0000-0000-000000000000`)).toBe(false);
  // Of an earlier version, which did not say.
  expect(processLives(`${pid} ${started}`)).toBe(false);
});

it('takes one that has ended for gone, also while nobody has waited for it', async () => {
  // `sleep` never waits for the child that it got from the shell.
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  const written = markOf(pid);
  expect(processLives(written)).toBe(true);
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), { timeout: 5000 }).toMatch(/\) Z /);
  expect(processLives(written)).toBe(false);
  parent.kill();
});
