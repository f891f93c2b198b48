import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeWorkDirectory, mountsBelow, sweep } from './work-directory.ts';

let cache: string;
let said: string[];
const tell = (line: string) => said.push(line);
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'faultline-work-'));
  said = [];
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const make = (name: string) => {
  mkdirSync(join(cache, name));
  writeFileSync(join(cache, name, 'file'), '');
  return name;
};
/** A name as this process would give it, with another start. */
const ofAnother = (name: string) => {
  const own = makeWorkDirectory(cache, name);
  rmSync(own, { recursive: true });
  return own.replace(`${cache}/`, '').replace(/_\d+_/, '_1_');
};

describe('sweep', () => {
  it('removes what dead processes have left, and nothing else', async () => {
    const alive = makeWorkDirectory(cache, 'partial-etcd-0123456789ab').replace(`${cache}/`, '');
    make('etcd-0123456789ab');
    make('.partial-etcd-0123456789ab-999999999');
    make('.image-commands-0123456789ab-999999999');
    // Another process has its pid by now.
    make(ofAnother('image-0123456789ab'));
    writeFileSync(join(cache, ofAnother('partial-kubectl')), '');
    // Of an earlier version, whose process lives.
    const earlier = make(`.partial-fetch-etcd-${process.pid}`);
    await sweep(cache, tell);
    expect(readdirSync(cache).sort()).toEqual([alive, earlier, 'etcd-0123456789ab'].sort());
    expect(said).toEqual([]);
  });

  it('does nothing where there is no cache yet', async () => {
    await sweep(join(cache, 'none'), tell);
    expect(existsSync(join(cache, 'none'))).toBe(false);
  });
});

it('gives two directories of one process two names, which end with its pid as earlier versions expect', () => {
  const [one, two] = [makeWorkDirectory(cache, 'image-x'), makeWorkDirectory(cache, 'image-x')];
  expect(one).not.toBe(two);
  expect(one).toMatch(new RegExp(`/\\.image-x-.*-${process.pid}$`));
});

it('finds what is mounted below a directory, in the order of the kernel', () => {
  const root = join(cache, 'a b');
  mkdirSync(root);
  const path = root.replace(' ', '\\040');
  const table = [
    `22 1 0:20 / ${path} rw - ext4 /dev/vda rw`,
    `23 22 0:21 / ${path}/proc rw,nosuid - proc proc rw`,
    `24 23 0:22 / ${path}/proc/sys rw - proc proc rw`,
    `25 1 0:23 / ${path}-other/proc rw - proc proc rw`,
    '',
  ].join('\n');
  expect(mountsBelow(root, table)).toEqual([`${root}/proc`, `${root}/proc/sys`]);
});
