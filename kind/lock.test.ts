import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockCache } from './lock.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'faultline-lock-'));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

it('lets a second command wait for the first, and says who that is', async () => {
  const said: string[] = [];
  const order: string[] = [];
  const release = await lockCache('make cluster', cache, (line) => said.push(line));
  const second = lockCache('make cluster-down', cache, (line) => said.push(line)).then((let2) => {
    order.push('second');
    return let2;
  });
  await expect.poll(() => said).toHaveLength(1);
  order.push('first is done');
  release();
  (await second)();
  expect(order).toEqual(['first is done', 'second']);
  expect(said).toEqual([
    expect.stringContaining(`waiting  for \`make cluster\` (process ${process.pid}), which has`),
  ]);
});

it('does not wait for one that was killed', async () => {
  const script = `import { lockCache } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))};
await lockCache('make cluster', ${JSON.stringify(cache)}, () => {});
console.log('held');
setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  const release = await lockCache('make cluster-down', cache, () => {});
  release();
});
