import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { thisProcess } from '../base/process-start.ts';
import { UndoLog } from '../chaos/undo/log.ts';
import { makeWorkDirectory, workRootPath } from '../engine/run-directories.ts';
import { type FakeMachine, fakeMachine } from '../tools/fake-machine.ts';

let machine: FakeMachine;
let cache: string;
beforeEach(() => {
  machine = fakeMachine();
  cache = join(machine.directory, 'cache/faultline/kind');
  mkdirSync(cache, { recursive: true });
});
afterEach(() => machine[Symbol.dispose]());

/** As make calls it, where no engine is this machine's. */
function make(goal: string, env: Record<string, string> = {}): { status: number | null; stderr: string } {
  machine.script('docker', `echo "$*" >>$FAKE/log; ${env.DOCKER ?? 'exit 1'}`);
  return spawnSync(process.execPath, [join(import.meta.dirname, 'kind.ts'), goal], {
    env: {
      ...machine.env,
      ...{
        XDG_CACHE_HOME: join(machine.directory, 'cache'),
        XDG_STATE_HOME: join(machine.directory, 'state'),
      },
      ...env,
    },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

/** A run of this process on the cluster. */
function runOnIt(): void {
  const before = process.env.XDG_STATE_HOME;
  process.env.XDG_STATE_HOME = join(machine.directory, 'state');
  try {
    const directory = join(workRootPath(), 'a-run');
    makeWorkDirectory(directory);
    const undo = new UndoLog(directory);
    const way = { kubectl: 'kubectl', kubeconfig: join(cache, 'faultline.kubeconfig') };
    undo.record('deploy', { op: 'delete-object', ...way, object: 'namespace/knative-lambda' });
    undo.close();
  } finally {
    if (before === undefined) delete process.env.XDG_STATE_HOME;
    else process.env.XDG_STATE_HOME = before;
  }
}

describe('what would be taken from under a run', () => {
  // Not engine-down: a test that fails must not end this machine's engine.
  it.each(['cluster', 'cluster-down'])('%s is refused', (goal) => {
    runOnIt();
    const { status, stderr } = make(goal);
    expect(stderr).toContain(`run a-run: is on the cluster, which \`make ${goal}\` would change under it`);
    expect(status).toBe(64);
    // No engine was asked anything.
    expect(existsSync(join(machine.directory, 'log'))).toBe(false);
  });
});

it('removes what killed commands have left, before anything else, and keeps what others are at', () => {
  const [dead, alive] = ['.partial-etcd-0123456789ab-999999999', `.image-x-${process.pid}`];
  for (const name of [dead, alive]) mkdirSync(join(cache, name));
  expect(make('cluster')).toMatchObject({ status: 64, stderr: expect.stringContaining('none answers') });
  expect([dead, alive].map((name) => existsSync(join(cache, name)))).toEqual([false, true]);
});

it('ends with 3 when it fails itself, never with the 1 of a platform that broke its promise', () => {
  const file = join(machine.directory, 'file');
  writeFileSync(file, thisProcess());
  const { status, stderr } = make('cluster', { XDG_CACHE_HOME: file });
  expect([status, stderr]).toEqual([3, expect.stringContaining('ENOTDIR')]);
});

// Where it is among the system's programs, it would be asked in earnest.
it.skipIf(existsSync('/usr/sbin/apt-get'))(
  'looks at what the machine lacks before it compiles anything',
  () => {
    // Neither engine nor cache has anything, and nobody has a mirror.
    const docker = 'case "$1" in image) exit 1 ;; network) echo 127.0.0.1 ;; *) echo 20 ;; esac';
    const { status, stderr } = make('cluster', { DOCKER: docker });
    expect(stderr).toMatch(/^apt-get: not here/m);
    expect(stderr).not.toContain('started');
    expect(status).toBe(64);
    expect(readFileSync(join(machine.directory, 'log'), 'utf8')).not.toContain('build');
  },
);
