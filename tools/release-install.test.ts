import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeMachine, fakeMachine } from './fake-machine.ts';
import { findTool } from './find.ts';
import { cacheDirectory } from './machine.ts';
import { PINS, releaseArchive } from './pins.ts';
import { planInstall } from './plan-install.ts';
import { type ReleaseDownload, releaseInstall } from './release-install.ts';

let machine: FakeMachine;
let directory: string;
let server: Server;
let release: ReleaseDownload;

/** A server that publishes one archive with a `prometheus` and a `promtool` in it. */
beforeEach(async () => {
  machine = fakeMachine();
  directory = mkdtempSync(join(tmpdir(), 'faultline-release-'));
  mkdirSync(join(directory, 'p'));
  for (const name of ['prometheus', 'promtool'])
    writeFileSync(join(directory, 'p', name), `#!/bin/sh\necho "${name}, version 2.54.1"\n`, { mode: 0o755 });
  execFileSync('tar', ['-czf', join(directory, 'p.tar.gz'), '-C', directory, 'p']);
  const archive = readFileSync(join(directory, 'p.tar.gz'));
  server = createServer((req, res) => {
    if (req.url === '/p.tar.gz') res.end(archive);
    else if (req.url === '/cut.tar.gz') {
      res.writeHead(200, { 'content-length': archive.length });
      res.write(archive.subarray(0, 20), () => res.destroy());
    } else res.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  release = {
    archive: { url: url('p.tar.gz'), sha256: createHash('sha256').update(archive).digest('hex') },
    version: '2.54.1',
    tools: ['prometheus', 'promtool'].map((name) => ({ name: name as 'prometheus', file: `p/${name}` })),
  };
});
afterEach(() => {
  machine[Symbol.dispose]();
  rmSync(directory, { recursive: true });
  server.close();
  server.closeAllConnections();
});
const url = (name: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`;
const cached = () => readdirSync(cacheDirectory(machine)).sort();

describe('releaseInstall', () => {
  it('puts every tool that is wanted of an archive where it is found', async () => {
    await releaseInstall(release, machine);
    expect(cached()).toEqual(['prometheus-2.54.1', 'promtool-2.54.1']);
    expect((await findTool('promtool', machine)).tool).toMatchObject({ source: 'cache', version: '2.54.1' });
  });

  it('uses nothing of an archive that is not the one of the table, and keeps what was there', async () => {
    await releaseInstall(release, machine);
    const other = { ...release, archive: { ...release.archive, sha256: '0'.repeat(64) } };
    await expect(releaseInstall(other, machine)).rejects.toThrow(
      new RegExp(`SHA-256 is ${release.archive.sha256}, expected 0{64}`),
    );
    expect(cached()).toEqual(['prometheus-2.54.1', 'promtool-2.54.1']);
  });

  it.each([
    ['is not there', 'none.tar.gz', /download of .*none\.tar\.gz failed: .*404/],
    ['is cut off', 'cut.tar.gz', /download of .*cut\.tar\.gz failed/],
  ])('leaves nothing of an archive that %s', async (_, name, message) => {
    const archive = { ...release.archive, url: url(name) };
    await expect(releaseInstall({ ...release, archive }, machine)).rejects.toThrow(message);
    expect(cached()).toEqual([]);
  });

  it('says when the archive lacks a tool', async () => {
    const tools = [{ name: 'amtool' as const, file: 'p/amtool' }];
    await expect(releaseInstall({ ...release, tools }, machine)).rejects.toThrow(/unpacking .* failed/);
    expect(cached()).toEqual([]);
  });
});

describe('a machine without a package manager', () => {
  it('gets the published releases, one download for the tools of one archive', async () => {
    const pin = PINS.prometheus.release;
    if (!pin || !releaseArchive(pin)) return; // Nobody publishes one for this platform.
    const { downloads, packages, builds } = await planInstall(['prometheus', 'promtool', 'amtool'], machine);
    expect({ packages, builds }).toEqual({ packages: [], builds: [] });
    expect(downloads.map(({ tools }) => tools.map((t) => t.file.replace(/linux-\w+/, 'linux')))).toEqual([
      ['prometheus-2.54.1.linux/prometheus', 'prometheus-2.54.1.linux/promtool'],
      ['alertmanager-0.27.0.linux/amtool'],
    ]);
  });

  it('is told all that cannot be had', async () => {
    await expect(planInstall(['rabbitmq-server', 'prometheus'], machine)).rejects.toThrow(
      /rabbitmq-server: is missing; install rabbitmq-server >= 3\.10 and put it on PATH/,
    );
  });
});
