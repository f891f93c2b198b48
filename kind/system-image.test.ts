import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEngine } from './fake-engine.ts';
import { beginSystems, mirrorOf, systemImage } from './system-image.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-system-'));
  vi.stubEnv('XDG_CACHE_HOME', join(directory, 'cache'));
  vi.stubEnv('PATH', `${directory}:${process.env.PATH}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

function script(name: string, body: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(directory, name), 0o755);
}
/** @param lines SITE CODENAME ORIGIN */
const apt = (...lines: string[]) => script('apt-get', lines.map((line) => `echo '${line}'`).join('\n'));
const DEBIAN = 'http://deb.example/debian bookworm Debian';

describe('mirrorOf', () => {
  it('is where Debian itself has the suite, and not who publishes packages for it', async () => {
    apt(
      'https://docker.example/linux/debian bookworm Docker',
      'http://deb.example/backports bookworm Debian Backports',
      'http://deb.example/security bookworm-security Debian',
      DEBIAN,
    );
    expect(await mirrorOf('bookworm')).toBe('http://deb.example/debian');
  });

  it('refuses a machine that has only others', async () => {
    apt('https://docker.example/linux/debian bookworm Docker', 'http://x bookworm ');
    await expect(mirrorOf('bookworm')).rejects.toThrow(
      /no source of Debian's own for bookworm.*apt-get update/,
    );
  });
});

describe('a system', () => {
  let number = 0;
  /** One that no test before has made. */
  const system = () => ({ suite: 'bookworm', packages: ['systemd', `test${number++}`] });

  it('that could not be made is told, and begun anew when it is wanted', async () => {
    apt(DEBIAN);
    script('debootstrap', 'echo "no route to host"; exit 1');
    const said: string[] = [];
    const [engine, wanted] = [new FakeEngine(), system()];
    await beginSystems(engine, { node: wanted }, (line) => said.push(line));
    expect(said.join('\n')).toMatch(/failed {3}node, tried again when it is wanted: .*no route to host/s);
    script('debootstrap', 'exit 0');
    expect(await systemImage(engine, 'node', wanted, () => {})).toMatch(/^faultline\.dev\/node:/);
    expect(engine.calls.filter((call) => call.startsWith('import'))).toHaveLength(1);
  });

  it('is made once for two that want it at the same time', async () => {
    apt(DEBIAN);
    script('debootstrap', `echo made >>${directory}/log`);
    const [engine, wanted] = [new FakeEngine(), system()];
    const both = [1, 2].map(() => systemImage(engine, 'node', wanted, () => {}));
    expect(new Set(await Promise.all(both)).size).toBe(1);
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('made\n');
  });

  it('is made of what Debian has signed', async () => {
    apt(DEBIAN);
    script('debootstrap', `echo "$*" >>${directory}/log`);
    await systemImage(new FakeEngine(), 'node', system(), () => {});
    const [asked] = readFileSync(join(directory, 'log'), 'utf8').split('\n');
    expect(asked).toMatch(/ --force-check-gpg bookworm \S+\/root http:\/\/deb\.example\/debian$/);
  });
});
