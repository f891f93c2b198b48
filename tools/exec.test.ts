import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exec, lastLines } from './exec.ts';

/** Whether a process runs; one that has ended and waits to be reaped does not. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

it('gives exit code and output, of both streams, and the answer apart from what was said besides', async () => {
  expect(await exec('sh', ['-c', 'echo out; echo err >&2; exit 7'], { timeoutMs: 10_000 })).toMatchObject({
    code: 7,
    stdout: 'out\n',
    output: expect.stringMatching(/^(out\nerr\n|err\nout\n)$/),
  });
});

it('keeps an answer whole that is longer than what is shown of it', async () => {
  const { stdout, output } = await exec('sh', ['-c', 'yes | head -c 400000'], { timeoutMs: 10_000 });
  expect(stdout).toHaveLength(400_000);
  expect(output.length).toBeLessThan(400_000);
});

it('ends a command that takes too long, with its children', async () => {
  const begin = performance.now();
  const result = await exec('sh', ['-c', 'sleep 60 & echo $!; wait'], { timeoutMs: 300 });
  expect(result).toMatchObject({ code: undefined, failure: 'no end after 0 s' });
  expect(performance.now() - begin).toBeLessThan(5000);
  const child = Number(result.output);
  expect(child).toBeGreaterThan(1);
  await expect.poll(() => alive(child), { timeout: 5000 }).toBe(false);
});

it('says why a command could not be started or was killed', async () => {
  expect((await exec('/nonexistent/tool', [], { timeoutMs: 1000 })).failure).toContain('ENOENT');
  expect((await exec('sh', ['-c', 'kill -9 $$'], { timeoutMs: 5000 })).failure).toBe('killed by SIGKILL');
});

it('starts nothing when it is interrupted already', async () => {
  const options = { timeoutMs: 1000, signal: AbortSignal.abort() };
  expect(await exec('sh', ['-c', 'echo no'], options)).toEqual({
    code: undefined,
    stdout: '',
    output: '',
    failure: 'interrupted',
  });
});

it('keeps the last lines, without the empty ones and with progress bars split', () => {
  expect(lastLines('a\n\nb\r50%\rc\n', 2)).toBe('    50%\n    c');
});
