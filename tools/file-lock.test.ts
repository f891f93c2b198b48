import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFile } from './file-lock.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-file-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const lock = (name: string, waitS: number, signal?: AbortSignal) => {
  const onWait = () => {};
  return lockFile(join(directory, name), { env: process.env, waitS, onWait, signal });
};

it('gives up after its time, or when it is told to', async () => {
  const release = await lock('file', 1);
  expect(await lock('file', 1)).toBeUndefined();
  expect(await lock('file', 60, AbortSignal.timeout(200))).toBeUndefined();
  release?.();
  const again = await lock('file', 10);
  expect(again).toBeDefined();
  again?.();
});

it('holds it when it is interrupted afterwards: who has it cleans up', async () => {
  const abort = new AbortController();
  const release = await lock('file', 1, abort.signal);
  abort.abort();
  expect(await lock('file', 1)).toBeUndefined();
  release?.();
});

it('says why it can not be locked at all', async () => {
  await expect(lock('none/file', 1)).rejects.toThrow(/can not be locked: .*none\/file/);
});
