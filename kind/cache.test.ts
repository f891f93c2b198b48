import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { syncTree } from '../base/sync-tree.ts';
import { built, contentKey } from './cache.ts';

vi.mock('../base/sync-tree.ts', { spy: true });

let cache: string;
let said: string[];
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'faultline-cache-'));
  said = [];
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

let builds = 0;
const step = (name: string, inputs: unknown) => ({
  name,
  inputs,
  async build(directory: string) {
    builds++;
    writeFileSync(join(directory, 'out'), JSON.stringify(inputs));
  },
});
const make = (name: string, inputs: unknown) => built(step(name, inputs), (line) => said.push(line), cache);

describe('built', () => {
  it('builds once, and again only when an input is another', async () => {
    builds = 0;
    const first = await make('etcd', { version: 1 });
    expect(await make('etcd', { version: 1 })).toBe(first);
    expect(builds).toBe(1);
    const second = await make('etcd', { version: 2 });
    expect(readFileSync(join(second, 'out'), 'utf8')).toBe('{"version":2}');
    expect(said.map((line) => line.split(' ')[0])).toEqual(['started', 'done', 'cached', 'started', 'done']);
  });

  it('drops the older result of the same step, and of no other', async () => {
    await make('etcd', 1);
    await make('etcd-tools', 1);
    await make('etcd', 2);
    expect(readdirSync(cache).sort()).toEqual([contentKey('etcd', 2), contentKey('etcd-tools', 1)].sort());
  });

  it('leaves nothing of a build that failed, and begins anew', async () => {
    const bad = { ...step('etcd', 1), build: () => Promise.reject(new Error('no network')) };
    await expect(built(bad, () => {}, cache)).rejects.toThrow('no network');
    expect(readdirSync(cache)).toEqual([]);
    await make('etcd', 1);
    expect(readdirSync(cache)).toEqual([contentKey('etcd', 1)]);
  });

  it('takes what another made meanwhile, and leaves nothing of its own', async () => {
    const first = join(cache, contentKey('etcd', 1));
    const slow = {
      ...step('etcd', 1),
      async build(directory: string) {
        writeFileSync(join(directory, 'out'), 'second');
        mkdirSync(first);
        writeFileSync(join(first, 'out'), 'first');
      },
    };
    expect(await built(slow, (line) => said.push(line), cache)).toBe(first);
    expect(readFileSync(join(first, 'out'), 'utf8')).toBe('first');
    expect(readdirSync(cache)).toEqual([contentKey('etcd', 1)]);
  });

  it('begins beside what an earlier process of the same pid has left', async () => {
    mkdirSync(join(cache, `.partial-${contentKey('etcd', 1)}-${process.pid}`));
    expect(readFileSync(join(await make('etcd', 1), 'out'), 'utf8')).toBe('1');
  });

  it('has all of it on the disk before it says that it is there', async () => {
    vi.mocked(syncTree).mockImplementationOnce(async (directory) => {
      expect(readFileSync(join(directory, 'out'), 'utf8')).toBe('1');
      expect(existsSync(join(cache, contentKey('etcd', 1)))).toBe(false);
    });
    await make('etcd', 1);
    expect(syncTree).toHaveBeenLastCalledWith(expect.stringContaining('.partial-etcd-'));
  });
});
