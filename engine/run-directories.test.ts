import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { thisProcess } from '../base/process-start.ts';
import {
  makeWorkDirectory,
  otherHosts,
  ownerLives,
  workDirectories,
  workRoot,
  workRootPath,
} from './run-directories.ts';
import { statePath } from './state-directory.ts';

let shared: string;
let root: string;
const before = process.env.XDG_STATE_HOME;
beforeEach(() => {
  shared = mkdtempSync(join(tmpdir(), 'faultline-root-'));
  process.env.XDG_STATE_HOME = shared;
  root = join(shared, 'faultline');
});
afterEach(() => {
  if (before === undefined) delete process.env.XDG_STATE_HOME;
  else process.env.XDG_STATE_HOME = before;
  rmSync(shared, { recursive: true });
});

describe('the directory of all work directories', () => {
  const mode = () => (statSync(root).mode & 0o777).toString(8);

  it('is made for this user alone, and is of this machine', () => {
    expect(workRoot()).toBe(join(root, hostname()));
    expect(workRootPath()).toBe(workRoot());
    expect(mode()).toBe('700');
    expect(workDirectories()).toEqual([]);
  });

  it('is closed where an earlier version had let others read it', () => {
    mkdirSync(root);
    chmodSync(root, 0o755);
    mkdirSync(join(root, hostname(), 'run'), { recursive: true });
    expect(workDirectories()).toEqual([join(root, hostname(), 'run')]);
    expect(mode()).toBe('700');
  });

  it.each([0o775, 0o757, 0o1777])('is refused where others may have written into it (%o)', (open) => {
    mkdirSync(root);
    chmodSync(root, open);
    // What is in it is carried out by `faultline clean`: kubectl by a path that stands there.
    expect(() => workDirectories()).toThrow(RefusedError);
    expect(() => workDirectories()).toThrow(/others may write into it.*move it away/);
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

  it('is refused where nothing can be made', () => {
    writeFileSync(join(shared, 'file'), '');
    process.env.XDG_STATE_HOME = join(shared, 'file');
    expect(workRoot).toThrow(RefusedError);
    expect(workRoot).toThrow(/can not be made \(ENOTDIR\).*set XDG_STATE_HOME to a directory that lasts/);
    // Where the kernel itself says no, also to root.
    process.env.XDG_STATE_HOME = '/sys';
    expect(workRoot).toThrow(/can not be made/);
  });
});

describe('where it is', () => {
  const home = () => '/nowhere/of/passwd';

  it('is where a reboot leaves it: XDG_STATE_HOME, else the home directory', () => {
    expect(statePath({ XDG_STATE_HOME: '/state', HOME: shared }, home)).toBe('/state/faultline');
    expect(statePath({ HOME: shared }, home)).toBe(join(shared, '.local/state/faultline'));
    // The specification wants a relative one ignored.
    expect(statePath({ XDG_STATE_HOME: 'state', HOME: shared }, home)).toBe(
      join(shared, '.local/state/faultline'),
    );
    expect(statePath({}, () => shared)).toBe(join(shared, '.local/state/faultline'));
  });

  it('is refused where there is no home directory', () => {
    const none = () => {
      throw new Error('uv_os_homedir returned ENOENT');
    };
    expect(() => statePath({}, none)).toThrow(RefusedError);
    expect(() => statePath({}, none)).toThrow(/HOME: not set.*set XDG_STATE_HOME/);
    expect(() => statePath({}, home)).toThrow(/\/nowhere\/of\/passwd is not there.*set XDG_STATE_HOME/);
  });
});

describe('whose it is', () => {
  it('is this process’s as long as it lives, and nobody’s after a reboot', () => {
    const directory = join(workRoot(), 'run');
    makeWorkDirectory(directory);
    expect(ownerLives(directory)).toBe(true);
    // By chance another process has the pid and the tick.
    const [pid, started] = thisProcess().split(' ');
    writeFileSync(join(directory, 'owner'), `${pid} ${started} 00000000-0000-0000-0000-000000000000`);
    expect(ownerLives(directory)).toBe(false);
  });

  it('is another machine’s where many have one home directory', () => {
    mkdirSync(join(root, 'other', 'run'), { recursive: true, mode: 0o700 });
    mkdirSync(join(root, 'idle'), { mode: 0o700 });
    chmodSync(root, 0o700);
    expect(workDirectories()).toEqual([]);
    expect(otherHosts()).toEqual(['other']);
    expect(workDirectories('other')).toEqual([join(root, 'other', 'run')]);
    expect(workDirectories('never')).toEqual([]);
  });
});
