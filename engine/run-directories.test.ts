import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { workDirectories, workRoot } from './run-directories.ts';

describe('the directory of all work directories', () => {
  const before = process.env.TMPDIR;
  let shared: string;
  let root: string;
  beforeEach(() => {
    shared = mkdtempSync(join(tmpdir(), 'faultline-root-'));
    process.env.TMPDIR = shared;
    root = join(shared, `faultline-${process.getuid?.()}`);
  });
  afterEach(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(shared, { recursive: true });
  });
  const mode = () => (statSync(root).mode & 0o777).toString(8);

  it('is made for this user alone', () => {
    expect(workRoot()).toBe(root);
    expect(mode()).toBe('700');
    expect(workDirectories()).toEqual([]);
  });

  it('is closed where an earlier version had let others read it', () => {
    mkdirSync(root);
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'run'));
    expect(workDirectories()).toEqual([join(root, 'run')]);
    expect(mode()).toBe('700');
  });

  it.each([0o775, 0o757, 0o1777])('is refused where others may have written into it (%o)', (open) => {
    mkdirSync(root);
    chmodSync(root, open);
    // What is in it is carried out by `faultline clean`: kubectl by a path that stands there.
    expect(workDirectories).toThrow(RefusedError);
    expect(workDirectories).toThrow(/others may write into it.*move it away/);
  });

  it('is refused where it is a link, or no directory', () => {
    mkdirSync(join(shared, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(shared, 'elsewhere'), root);
    expect(workRoot).toThrow(/a link.*move it away/);
    rmSync(root);
    symlinkSync(join(shared, 'nowhere'), root);
    expect(workRoot).toThrow(RefusedError);
  });

  it.runIf(process.getuid?.() === 0)('is refused where it is another user’s', async () => {
    const { chownSync } = await import('node:fs');
    mkdirSync(root, { mode: 0o700 });
    chownSync(root, 65534, 65534);
    expect(workRoot).toThrow(/another user's/);
  });
});
