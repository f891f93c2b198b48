import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Machine } from './machine.ts';

/** A machine for tests: real small shell scripts as tools, in a directory tree of its own, with nothing of this machine. */
export interface FakeMachine extends Machine {
  /** The tree; also the `root` of its packages. */
  directory: string;
  /** First of the two directories on its PATH. */
  bin: string;
  /** Writes an executable shell script; a relative path goes into `bin`. Returns its path. */
  script(path: string, body: string): string;
  [Symbol.dispose](): void;
}

/** The real commands that the fake scripts and the lock need. */
const UTILITIES = ['sh', 'cat', 'chmod', 'cp', 'flock', 'gzip', 'mkdir', 'rm', 'sleep', 'tar', 'touch'];

export function fakeMachine(uid = 0): FakeMachine {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-machine-'));
  const bin = join(directory, 'bin');
  const utilities = join(directory, 'utilities');
  for (const path of [bin, utilities, join(directory, 'usr/sbin'), join(directory, 'var/lib/apt/lists')])
    mkdirSync(path, { recursive: true });
  for (const name of UTILITIES) {
    const path = execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).trim();
    symlinkSync(path, join(utilities, name));
  }
  chmodSync(directory, 0o755);
  return {
    directory,
    bin,
    root: directory,
    uid,
    env: { PATH: [bin, utilities].join(delimiter), HOME: join(directory, 'home'), FAKE: directory },
    script(path, body) {
      const file = path.startsWith('/') ? path : join(bin, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
      return file;
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
