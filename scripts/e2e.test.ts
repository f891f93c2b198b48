import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeMachine, fakeMachine } from '../tools/fake-machine.ts';

let machine: FakeMachine;
beforeEach(() => {
  machine = fakeMachine();
});
afterEach(() => machine[Symbol.dispose]());

const E2E = join(import.meta.dirname, 'e2e.ts');
const log = () => join(machine.directory, 'log');

/** As make calls it, on a machine whose container engine notes what it is asked, and then does `body`. */
function environment(body: string, env: Record<string, string> = {}): NodeJS.ProcessEnv {
  machine.script('docker', `echo "$$ $*" >>$FAKE/log; ${body}`);
  const directories = {
    XDG_CACHE_HOME: join(machine.directory, 'cache'),
    XDG_STATE_HOME: join(machine.directory, 'state'),
  };
  return { ...machine.env, ...directories, ...env };
}

describe('what will not do is refused before anything is started', () => {
  it.each([
    [{ TIME_SCALE: 'fast' }, 'TIME_SCALE: expected a number of at least 1, got fast'],
    [{ TIME_SCALE: '0.5' }, 'TIME_SCALE: expected a number of at least 1, got 0.5'],
    [{ LOAD_SCALE: 'builds=0' }, 'LOAD_SCALE: "builds=0": expected a factor above 0, such as builds=0.05'],
    [{ LOAD_SCALE: '0.2 bilds=1' }, 'LOAD_SCALE: no stream is called "bilds": expected one of '],
    [{ DEFECT: 'gremlins' }, 'DEFECT: "gremlins": expected one of ack-before-build'],
    [{ SCENARIO: 'moon' }, 'SCENARIO: moon: expected all, or some of invocations-steady'],
  ])('%j', (env, message) => {
    const { status, stderr } = spawnSync(process.execPath, [E2E], {
      ...{ env: environment('exit 1', env), encoding: 'utf8', timeout: 60_000 },
    });
    expect(stderr).toContain(message);
    expect(status).toBe(64);
    expect(existsSync(log())).toBe(false);
  });
});

/** Two engines are asked for by e2e.ts itself; then by what makes the cluster, which finds one that answers and then hangs. */
const HANGS = `for n in 1 2; do [ -e $FAKE/$n ] || { touch $FAKE/$n; exit 1; }; done
[ "$1" = version ] || exec sleep 60`;

describe('a signal that comes to it alone', () => {
  let e2e: ChildProcess | undefined;
  let hanging: number | undefined;
  const lives = () => hanging !== undefined && existsSync(`/proc/${hanging}`);
  afterEach(() => {
    e2e?.kill('SIGKILL');
    if (lives()) process.kill(Number(hanging), 'SIGKILL');
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('%s ends what it has started, and then itself', async (signal) => {
    e2e = spawn(process.execPath, [E2E], { env: environment(HANGS), stdio: 'ignore' });
    const ended = new Promise((resolve) => e2e?.once('exit', (...end) => resolve(end)));
    hanging = await vi.waitFor(() => {
      const [, pid] = /^(\d+) info /m.exec(readFileSync(log(), 'utf8')) ?? [];
      expect(pid).toBeDefined();
      return Number(pid);
    }, 20_000);
    e2e.kill(signal);
    expect(await ended).toEqual([130, null]);
    expect(lives()).toBe(false);
  });
});
