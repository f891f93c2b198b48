import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeMachine, fakeMachine } from './fake-machine.ts';
import { findTool } from './find.ts';
import { cacheDirectory } from './machine.ts';
import { PINS, TOOL_NAMES } from './pins.ts';
import { resolveTool, resolveTools } from './resolve.ts';
import { compareVersions, upstreamVersion } from './versions.ts';

let machine: FakeMachine;
beforeEach(() => {
  machine = fakeMachine();
});
afterEach(() => machine[Symbol.dispose]());

const k6 = (version: string) =>
  `echo "k6 v${version} (go1.26.0, linux/amd64) Extensions: y.New , records5 [output]"`;

describe('findTool', () => {
  it('takes the tool on PATH when its version will do', async () => {
    const path = machine.script('k6', k6('1.10.0'));
    expect(await resolveTool('k6', machine)).toEqual({ name: 'k6', path, version: '1.10.0', source: 'path' });
  });

  it('passes over one that is too old, and takes a later one', async () => {
    const old = machine.script('k6', k6('1.8.0'));
    const cached = machine.script(join(cacheDirectory(machine), 'k6-1.8.1', 'k6'), k6('1.8.1'));
    const finding = await findTool('k6', machine);
    expect(finding.tool).toEqual({ name: 'k6', path: cached, version: '1.8.1', source: 'cache' });
    expect(finding.unfit).toEqual([{ path: old, version: '1.8.0', why: '1.8.0 is older than 1.8.1' }]);
  });

  it.each([
    ['fails', 'exit 3'],
    ['says something else', 'echo hello from another program'],
    ['says its version and fails', `${k6('1.9.0')}; exit 1`],
    ['is stock k6', 'echo "k6 v1.9.0 (go1.26.0, linux/amd64)"'],
  ])('does not trust a tool that %s when asked for its version', async (_, body) => {
    const path = machine.script('k6', body);
    expect((await findTool('k6', machine)).unfit).toEqual([
      { path, why: expect.stringMatching(/^does not tell its version/) },
    ]);
    await expect(resolveTool('k6', machine)).rejects.toThrow(/k6: will not do .*does not tell its version/);
  });

  it('does not take a directory, a file without execute permission, a dangling link or a relative PATH entry', async () => {
    mkdirSync(join(machine.bin, 'k6'));
    expect(await findTool('k6', machine)).toEqual({ name: 'k6', unfit: [] });
    const go = join(machine.directory, 'home/go/bin');
    chmodSync(machine.script(join(go, 'k6'), k6('1.9.0')), 0o644);
    symlinkSync('/nonexistent/nft', join(machine.bin, 'nft'));
    machine.env.PATH = `.${delimiter}bin${delimiter}${machine.env.PATH}`;
    expect(await findTool('k6', machine)).toEqual({ name: 'k6', unfit: [] });
    expect(await findTool('nft', machine)).toEqual({ name: 'nft', unfit: [] });
  });

  it.each([
    ['$GOBIN', 'gobin', { GOBIN: 'gobin' }],
    ['$GOPATH/bin', 'gopath/bin', { GOPATH: 'gopath' }],
    ['~/go/bin', 'home/go/bin', {}],
  ])('looks in %s', async (_, directory, env: Record<string, string>) => {
    for (const [name, value] of Object.entries(env)) machine.env[name] = join(machine.directory, value);
    const path = machine.script(join(machine.directory, directory, 'k6'), k6('1.8.1'));
    expect((await findTool('k6', machine)).tool).toMatchObject({ path, source: 'go' });
  });

  it('looks where packages put tools off PATH', async () => {
    const path = machine.script(
      join(machine.directory, 'usr/sbin/nft'),
      'echo "nftables v1.0.6 (Lester Gooch #5)"',
    );
    expect((await findTool('nft', machine)).tool).toMatchObject({ path, source: 'apt', version: '1.0.6' });
  });

  it('keeps the cache under XDG_CACHE_HOME, and takes its newest version', async () => {
    machine.env.XDG_CACHE_HOME = join(machine.directory, 'xdg');
    for (const version of ['1.9.0', '1.10.0', '1.8.1'])
      machine.script(join(machine.directory, `xdg/faultline/tools/k6-${version}/k6`), k6(version));
    expect((await findTool('k6', machine)).tool).toMatchObject({ version: '1.10.0', source: 'cache' });
  });

  it('unwraps RabbitMQ’s commands, and reads the version off the path without starting Erlang', async () => {
    const lib = join(machine.directory, 'usr/lib/rabbitmq');
    machine.script(join(lib, 'lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server'), 'exit 9');
    machine.script(join(lib, 'bin/rabbitmq-script-wrapper'), 'exit 9');
    symlinkSync('../lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server', join(lib, 'bin/rabbitmq-server'));
    symlinkSync(join(lib, 'bin/rabbitmq-script-wrapper'), join(machine.bin, 'rabbitmq-server'));
    expect(await resolveTool('rabbitmq-server', machine)).toMatchObject({
      path: join(lib, 'bin/rabbitmq-server'),
      version: '3.10.8',
    });
  });

  it('asks rabbitmqctl where the path says nothing', async () => {
    machine.script('rabbitmq-server', 'exit 9');
    machine.script('rabbitmqctl', '[ "$1" = version ] && echo 4.1.3');
    expect(await resolveTool('rabbitmq-server', machine)).toMatchObject({ version: '4.1.3' });
  });

  it('asks Go for the version of a versitygw that does not know its own', async () => {
    const path = machine.script('versitygw', 'echo "Version  : git"');
    machine.script(
      'go',
      `[ "$*" = "version -m ${path}" ] && printf 'x: go1.26\\n\\tpath\\tp\\n\\tmod\\tgithub.com/versity/versitygw\\tv1.8.0\\th1:x=\\n'`,
    );
    expect(await resolveTool('versitygw', machine)).toMatchObject({ version: '1.8.0' });
  });

  it('finds a tool by each of its names, and is not misled by another program of that name', async () => {
    machine.script('registry', 'echo "registry of something else 9.9"');
    expect((await findTool('registry', machine)).tool).toBeUndefined();
    machine.script('docker-registry', 'echo "docker-registry github.com/docker/distribution 2.8.2+ds1"');
    expect((await findTool('registry', machine)).tool).toMatchObject({ version: '2.8.2' });
    machine.script('registry', 'echo "registry github.com/distribution/distribution/v3 v3.0.0"');
    expect(await resolveTool('registry', machine)).toMatchObject({ version: '2.8.2' });
  });

  it('says all that is missing at once, with what to do', async () => {
    machine.script('k6', k6('0.49.0'));
    await expect(resolveTools(['k6', 'prometheus'], machine)).rejects.toMatchObject({
      exitCode: 64,
      message: `k6: will not do (${machine.bin}/k6: 0.49.0 is older than 1.8.1) (>= 1.8.1 is needed): run \`faultline doctor --install\`
prometheus: is missing (>= 2.42 is needed): run \`faultline doctor --install\``,
    });
  });
});

describe('the table', () => {
  it.each(TOOL_NAMES)('%s can be installed in some way, at a version that will do', (name) => {
    const { apt, go, minimum } = PINS[name];
    expect(apt ?? go).toBeDefined();
    if (go) expect(compareVersions(go.version, minimum)).toBeGreaterThanOrEqual(0);
  });
});

describe('versions', () => {
  it.each([
    ['1.8.1', '1.8.1', 0],
    ['1.10', '1.9.9', 1],
    ['2', '2.0.0', 0],
    ['0.25', '0.25.1', -1],
  ])('compares %s with %s', (a, b, expected) => {
    expect(Math.sign(compareVersions(a, b))).toBe(expected);
  });

  it.each([
    ['1:3.10.8-1.1+deb12u1', '3.10.8'],
    ['2.42.0+ds-5+b1', '2.42.0'],
    ['(none)', undefined],
  ])('reads the upstream version of %s', (debian, expected) => {
    expect(upstreamVersion(debian)).toBe(expected);
  });
});
