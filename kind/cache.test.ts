import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { built, contentKey } from './cache.ts';

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
});
