import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { type FakeMachine, fakeMachine } from '../tools/fake-machine.ts';
import { contentKey, kindCache } from './cache.ts';
import { FakeEngine } from './fake-engine.ts';
import { goCommands } from './go-build.ts';
import { contentTag } from './images.ts';
import type { GoSource } from './pins.ts';
import { prepareMachine, type Wanted } from './prerequisites.ts';

const SYSTEM = { suite: 'bookworm', packages: ['systemd'] };
const SOURCE: GoSource = { module: 'example.com/a', version: '1.0.0', commands: ['example.com/a'] };
const KEYRING = 'usr/share/keyrings/debian-archive-keyring.gpg';
const WANTED: Wanted = { systems: { node: SYSTEM }, sources: { a: SOURCE } };

let machine: FakeMachine;
/** Another machine in the place of the one that was. */
const use = (uid: number) => {
  vi.unstubAllEnvs();
  machine?.[Symbol.dispose]();
  machine = fakeMachine(uid);
  vi.stubEnv('PATH', machine.env.PATH);
  vi.stubEnv('XDG_CACHE_HOME', join(machine.directory, 'cache'));
};
beforeEach(() => use(0));
afterEach(() => {
  vi.unstubAllEnvs();
  machine[Symbol.dispose]();
});

function file(path: string): void {
  mkdirSync(dirname(join(machine.directory, path)), { recursive: true });
  writeFileSync(join(machine.directory, path), '');
}
/** A machine that has all. */
function whole(): void {
  machine.script('go', 'echo "go version go1.26.1 linux/amd64"');
  machine.script('apt-get', "echo 'http://deb.example/debian bookworm Debian'");
  machine.script('debootstrap', '');
  machine.script('gcc', '');
  for (const path of [KEYRING, 'usr/include/stdlib.h']) file(path);
}
const prepare = (wanted = WANTED, engine = new FakeEngine()) =>
  prepareMachine(engine, wanted, () => {}, machine);
const refused = (message: RegExp) =>
  expect(prepare()).rejects.toSatisfy(
    (error) => error instanceof RefusedError && message.test(error.message),
  );

describe('what is to be built', () => {
  it('may begin on a machine that has all', async () => {
    whole();
    await prepare();
  });

  it('needs root, before half an hour of compiling', async () => {
    use(1000);
    whole();
    await refused(/^root: debootstrap.*sudo$/);
  });

  it('needs Debian, Go, and a Go that is new enough', async () => {
    await refused(/^apt-get: not here.*\ngo: is missing: install Go/);
    whole();
    machine.script('go', 'echo "go version go1.19.8 linux/amd64"');
    await refused(/^go: \S+ is 1\.19\.8: install Go/);
  });

  it('needs a source of the Debian release', async () => {
    whole();
    machine.script('apt-get', "echo 'http://deb.example/ubuntu noble Ubuntu'");
    await expect(prepare()).rejects.toSatisfy(
      (error) => error instanceof HarnessError && /no source of Debian's own/.test(error.message),
    );
  });

  it('names the packages that only root can install', async () => {
    use(1000);
    machine.script('go', 'echo "go version go1.26.1 linux/amd64"');
    const wanted = { systems: {}, sources: { a: { ...SOURCE, cgo: true } } };
    await expect(prepare(wanted)).rejects.toThrow(
      'not root: packages are missing: sudo apt-get install -y --no-install-recommends gcc libc6-dev',
    );
  });

  it('gets the packages that are missing', async () => {
    whole();
    machine.script('apt-get', `echo "$*" >>$FAKE/log; echo 'http://deb.example/debian bookworm Debian'`);
    rmSync(join(machine.bin, 'debootstrap'));
    vi.stubEnv('FAKE', machine.directory);
    await prepare();
    expect(readFileSync(join(machine.directory, 'log'), 'utf8')).toMatch(/^install .* debootstrap\n/);
  });
});

it('asks nothing of a machine where all is there already', async () => {
  use(1000);
  mkdirSync(join(kindCache(), contentKey('a', goCommands('a', SOURCE).inputs)), { recursive: true });
  await prepare(WANTED, new FakeEngine(undefined, [contentTag('node', SYSTEM)]));
});
