import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeMachine, fakeMachine } from './fake-machine.ts';
import { cacheDirectory } from './machine.ts';
import type { ToolName } from './pins.ts';
import { type InstallStep, installTools } from './resolve.ts';

let machine: FakeMachine;
let steps: InstallStep[];
beforeEach(() => {
  machine = fakeMachine();
  steps = [];
});
afterEach(() => machine[Symbol.dispose]());

const install = (names: ToolName[], signal?: AbortSignal) =>
  installTools(names, (step) => steps.push(step), { machine, signal });
const told = () => steps.map(({ state, what }) => `${state}: ${what}`);
const log = () => readFileSync(join(machine.directory, 'log'), 'utf8').trim().split('\n');
const policy = () => join(machine.directory, 'usr/sbin/policy-rc.d');

/** An apt-get whose packages nftables and docker-registry hold one working tool each. */
const INSTALL_PACKAGES = `
for word in "$@"; do
  case $word in
    nftables) printf '#!/bin/sh\\necho "nftables v1.0.6 (x)"\\n' > $FAKE/bin/nft; chmod +x $FAKE/bin/nft;;
    docker-registry) printf '#!/bin/sh\\necho "docker-registry github.com/docker/distribution 2.8.2"\\n' > $FAKE/bin/docker-registry; chmod +x $FAKE/bin/docker-registry;;
  esac
done`;
const LOG = 'echo "apt-get $*" >> $FAKE/log';

function fakeApt(body = INSTALL_PACKAGES): void {
  machine.script(
    'apt-get',
    `${LOG}\n[ -x $FAKE/usr/sbin/policy-rc.d ] && echo guarded >> $FAKE/log\n${body}`,
  );
  machine.script('apt-cache', 'echo "  Candidate: 9.0.0-1"');
  writeFileSync(join(machine.directory, 'var/lib/apt/lists/main_Packages'), '');
}

const K6 = 'k6 v1.8.1 (x) Extensions: y.New , records5 [output]';

/** A Go that "builds" k6 or versitygw. */
function fakeGo(version = '1.24.0', body = ''): void {
  machine.script(
    'go',
    `[ "$2" = -n ] && exit
if [ "$1" = version ]; then echo "go version go${version} linux/amd64"; exit; fi
echo "go $*" >> $FAKE/log
${body}
case "$PWD $*" in
  */tools/k6*) printf '#!/bin/sh\\necho "${K6}"\\n' > $GOBIN/k6; chmod +x $GOBIN/k6;;
  *versitygw@v1.8.0) printf '#!/bin/sh\\necho "Version  : v1.8.0"\\n' > $GOBIN/versitygw; chmod +x $GOBIN/versitygw;;
esac`,
  );
}

describe('installTools', () => {
  it('does nothing, and says nothing, when all is there', async () => {
    machine.script('k6', `echo "${K6}"`);
    expect(await install(['k6'])).toMatchObject([{ name: 'k6', source: 'path' }]);
    expect(steps).toEqual([]);
    expect(existsSync(cacheDirectory(machine))).toBe(false);
  });

  it('installs packages with one call of apt-get beside the Go builds, and verifies them', async () => {
    fakeApt();
    fakeGo();
    const tools = await install(['k6', 'versitygw', 'registry', 'nft']);
    expect(tools.map(({ name, source, version }) => `${name} ${source} ${version}`)).toEqual([
      'k6 cache 1.8.1',
      'versitygw cache 1.8.0',
      'registry path 2.8.2',
      'nft path 1.0.6',
    ]);
    expect(log().filter((line) => line.startsWith('apt-get'))).toEqual([
      expect.stringMatching(/^apt-get install -y --no-install-recommends .* docker-registry nftables$/),
    ]);
    expect(told().filter((line) => line.includes('apt-get'))).toEqual([
      'started: apt-get install docker-registry nftables',
      'done: apt-get install docker-registry nftables',
    ]);
    expect(told().filter((line) => line.includes('go install'))).toEqual([
      'started: go install -C tools/k6 .',
      'done: go install -C tools/k6 .',
      'started: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0',
      'done: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0',
    ]);
    expect(readdirSync(cacheDirectory(machine)).sort()).toEqual(['.lock', 'k6-1.8.1', 'versitygw-1.8.0']);

    steps = [];
    await install(['k6', 'versitygw', 'registry', 'nft']);
    expect(steps).toEqual([]);
  });

  it('keeps services from starting while apt-get runs, and takes the guard away', async () => {
    fakeApt();
    await install(['nft']);
    expect(log()).toContain('guarded');
    expect(existsSync(policy())).toBe(false);
  });

  it('leaves the policy of the machine’s owner alone', async () => {
    writeFileSync(policy(), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    fakeApt();
    await install(['nft']);
    expect(readFileSync(policy(), 'utf8')).toBe('#!/bin/sh\nexit 101\n');
  });

  it('takes away the guard that a killed installation left, also where nothing is to be installed', async () => {
    fakeApt(`cat $FAKE/usr/sbin/policy-rc.d > $FAKE/guard\n${INSTALL_PACKAGES}`);
    await install(['nft']);
    const guard = readFileSync(join(machine.directory, 'guard'), 'utf8');
    const left = guard.replace(String(process.pid), '999999999');
    expect(left).not.toBe(guard);
    writeFileSync(policy(), left, { mode: 0o755 });
    steps = [];
    await install(['nft']);
    expect(existsSync(policy())).toBe(false);
    expect(steps).toEqual([]);

    // Taken over as well.
    writeFileSync(policy(), left, { mode: 0o755 });
    rmSync(join(machine.bin, 'nft'));
    await install(['nft']);
    expect(existsSync(policy())).toBe(false);

    // Nobody else may.
    writeFileSync(policy(), left, { mode: 0o755 });
    machine.uid = 1000;
    await install(['nft']);
    expect(existsSync(policy())).toBe(true);
  });

  it('leaves the guard of an installation that is on its way', async () => {
    fakeApt(
      `sleep 1\n[ -x $FAKE/usr/sbin/policy-rc.d ] && echo still guarded >> $FAKE/log\n${INSTALL_PACKAGES}`,
    );
    machine.script('k6', `echo "${K6}"`);
    const first = install(['nft']);
    await vi.waitFor(() => expect(existsSync(policy())).toBe(true));
    await install(['k6']);
    await first;
    expect(log()).toContain('still guarded');
    expect(existsSync(policy())).toBe(false);
  });

  it('says that only root may, where it can not keep services from starting', async () => {
    fakeApt();
    // In the way also of root, as whom tests may run.
    rmSync(join(machine.directory, 'usr/sbin'), { recursive: true });
    writeFileSync(join(machine.directory, 'usr/sbin'), '');
    await expect(install(['nft'])).rejects.toThrow(/packages can not be installed: .*Only root may/);
  });

  it('fetches the package lists first when there are none', async () => {
    fakeApt();
    machine.script('apt-cache', 'exit 100');
    await install(['nft']);
    expect(log()[0]).toMatch(/^apt-get update/);
    expect(told()[0]).toBe('started: apt-get update, apt-get install nftables');
  });

  it('fetches the package lists when they turn out to be stale', async () => {
    fakeApt(`[ "$1" = update ] && touch $FAKE/fresh
[ -e $FAKE/fresh ] || { echo "E: Failed to fetch http://x/nftables.deb  404  Not Found"; exit 100; }
${INSTALL_PACKAGES}`);
    await install(['nft']);
    expect(
      log()
        .filter((line) => line.startsWith('apt-get'))
        .map((line) => line.split(' ')[1]),
    ).toEqual(['install', 'update', 'install']);
  });

  it('goes on from a dpkg that was interrupted', async () => {
    fakeApt(`[ -e $FAKE/configured ] || { echo "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"; exit 100; }
${INSTALL_PACKAGES}`);
    machine.script('dpkg', '[ "$1 $2" = "--configure -a" ] && touch $FAKE/configured');
    await expect(install(['nft'])).resolves.toMatchObject([{ name: 'nft' }]);
  });

  it('shows the last lines of a failing apt-get, once the builds have ended, and keeps what they built', async () => {
    fakeApt('echo "Reading package lists..."; echo "E: You do not have enough free space"; exit 100');
    fakeGo('1.24.0', 'sleep 0.3');
    await expect(install(['k6', 'nft'])).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(
        /^apt-get install nftables failed \(exit code 100\)\. Its last lines:\n {4}Reading package lists\.\.\.\n {4}E: You do not have enough free space\nWhat went well stays/,
      ),
    });
    expect(told()).toContain('failed: apt-get install nftables');
    expect(told()).toContain('done: go install -C tools/k6 .');
    expect(existsSync(policy())).toBe(false);

    fakeApt();
    steps = [];
    await install(['k6', 'nft']);
    expect(told()).toEqual(['started: apt-get install nftables', 'done: apt-get install nftables']);
  });

  it('leaves nothing half-built when go install fails', async () => {
    fakeGo('1.24.0', 'touch $GOBIN/k6; echo "go: module lookup disabled"; exit 1');
    await expect(install(['k6'])).rejects.toThrow(
      /go install -C tools\/k6 \. failed .*\n {4}go: module lookup/,
    );
    expect(readdirSync(cacheDirectory(machine))).toEqual(['.lock']);
  });

  it('does not believe an installation that leaves the tool unusable', async () => {
    fakeApt('exit 0');
    await expect(install(['nft'])).rejects.toMatchObject({
      exitCode: 3,
      message: /not usable: nft is missing/,
    });
  });

  it('ends the steps when it is interrupted', async () => {
    fakeGo('1.24.0', 'echo begun >> $FAKE/log; sleep 30');
    const abort = new AbortController();
    const begin = performance.now();
    const installing = install(['k6'], abort.signal);
    setTimeout(() => abort.abort(), 500);
    await expect(installing).rejects.toThrow(/interrupted/);
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(log()).toContain('begun');
    expect(readdirSync(cacheDirectory(machine))).toEqual(['.lock']);
  });

  it('lets a second installation wait for the first, and find everything done', async () => {
    fakeGo('1.24.0', 'sleep 1');
    const first = install(['k6']);
    await new Promise((done) => setTimeout(done, 400));
    const waited: string[] = [];
    const second = installTools(['k6'], ({ state }) => waited.push(state), { machine });
    expect(await Promise.all([first, second])).toMatchObject([[{ name: 'k6' }], [{ name: 'k6' }]]);
    expect(waited).toEqual(['waiting']);
    expect(log().filter((line) => line.startsWith('go install'))).toHaveLength(1);
  });
});

describe('an installation that is refused', () => {
  it('without root, gives the exact commands and begins nothing', async () => {
    fakeApt();
    fakeGo();
    machine.uid = 1000;
    machine.script('nft', 'echo "nftables v0.9.0 (x)"');
    await expect(install(['k6', 'rabbitmq-server', 'prometheus', 'promtool', 'nft'])).rejects.toMatchObject({
      exitCode: 64,
      message: `not root: rabbitmq-server is missing, prometheus is missing, promtool is missing, nft will not do (${machine.bin}/nft: 0.9.0 is older than 1.0). Nothing was installed. Run this, then try again:
    sudo apt-get update
    sudo apt-get install -y --no-install-recommends rabbitmq-server prometheus nftables`,
    });
    expect(steps).toEqual([]);
    expect(existsSync(join(machine.directory, 'log'))).toBe(false);
    expect(existsSync(cacheDirectory(machine))).toBe(false);
  });

  it('without root, builds what needs no root', async () => {
    fakeGo();
    machine.uid = 1000;
    await expect(install(['k6'])).resolves.toMatchObject([{ name: 'k6', source: 'cache' }]);
  });

  it.each([
    ['is missing', undefined, /k6: is missing; install Go 1\.24 or newer/],
    ['is too old', '1.19.8', /k6: is missing; \S+\/go is 1\.19\.8: install Go 1\.24 or newer/],
  ])('says what to do when Go %s', async (_, version, message) => {
    if (version) fakeGo(version);
    fakeApt();
    await expect(install(['k6', 'nft'])).rejects.toMatchObject({ exitCode: 64, message });
    expect(existsSync(join(machine.directory, 'log'))).toBe(false);
  });

  it('says so when the package is too old', async () => {
    fakeApt();
    machine.script('apt-cache', 'echo "  Candidate: 1:2.7.0-1"');
    await expect(install(['registry'])).rejects.toMatchObject({
      exitCode: 64,
      message:
        'registry: is missing; install registry >= 2.8 and put it on PATH (the package docker-registry is only 2.7.0)',
    });
  });

  it('names the tool where there is no apt-get', async () => {
    await expect(install(['rabbitmq-server', 'nft'])).rejects.toMatchObject({
      exitCode: 64,
      diagnostics: [{ file: 'rabbitmq-server' }, { file: 'nft' }],
    });
  });
});
