import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processLives, startTime, thisProcess } from './process-start.ts';

it('tells a process that lives from one that is gone, and from another of the same pid', () => {
  expect(processLives(thisProcess())).toBe(true);
  expect(processLives(`${process.pid} 1`)).toBe(false);
  expect(processLives('999999999 1')).toBe(false);
  expect(processLives('')).toBe(false);
});

it('takes one that has ended for gone, also while nobody has waited for it', async () => {
  // `sleep` never waits for the child that it got from the shell.
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  const written = `${pid} ${startTime(pid)}`;
  expect(processLives(written)).toBe(true);
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), { timeout: 5000 }).toMatch(/\) Z /);
  expect(processLives(written)).toBe(false);
  parent.kill();
});
