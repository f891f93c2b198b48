/** Root file systems of Debian, made by debootstrap from the mirror that this machine's own apt uses, as images of the engine. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { exec } from '../tools/exec.ts';
import type { Tell } from './cache.ts';
import { run } from './command.ts';
import type { Engine } from './engine.ts';
import { contentTag, ensureImage } from './images.ts';
import { needPackages } from './packages.ts';

export interface System {
  suite: string;
  packages: string[];
}

/** Those that are being made, or were, by their tags: who comes second waits for the first. */
const made = new Map<string, Promise<string>>();

/** Tag of an image that holds the system; made when the engine does not have it. */
export function systemImage(engine: Engine, name: string, system: System, tell: Tell): Promise<string> {
  const tag = contentTag(name, system);
  const known = made.get(tag) ?? makeSystem(engine, tag, system, tell);
  made.set(tag, known);
  return known;
}

/**
 * Begins with systems that will be wanted, one after the other: unpacking packages waits for the disk and the network, and compilers use
 * the processors meanwhile. What fails here fails again for who wants it.
 */
export async function beginSystems(
  engine: Engine,
  systems: Readonly<Record<string, System>>,
  tell: Tell,
): Promise<void> {
  for (const [name, system] of Object.entries(systems))
    await systemImage(engine, name, system, tell).catch(() => {});
}

async function makeSystem(engine: Engine, tag: string, system: System, tell: Tell): Promise<string> {
  await ensureImage(engine, tag, tell, async (directory) => {
    await needPackages({ debootstrap: 'debootstrap' }, tell);
    const root = join(directory, 'root');
    const archive = join(directory, 'root.tar');
    mkdirSync(root);
    const args = ['--variant=minbase', `--include=${system.packages.join(',')}`, system.suite, root];
    try {
      await run('debootstrap', [...args, await mirror(system.suite)]);
    } finally {
      // One that was ended half-way leaves the kernel's file systems mounted where the directory is about to be removed.
      // Not `run`, which does nothing any more once it was interrupted.
      const unmount = 'for m in proc sys dev; do umount -R "$1/$m" 2>/dev/null || true; done';
      await exec('sh', ['-c', unmount, 'sh', root], { timeoutMs: 60_000 });
    }
    // Package lists and archives: 60 MB that no node needs.
    await run('sh', [
      '-c',
      'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/*',
      'sh',
      root,
    ]);
    await run('tar', ['--numeric-owner', '--one-file-system', '-C', root, '-cf', archive, '.']);
    await engine.docker([
      'import',
      '--change',
      'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      archive,
      tag,
    ]);
  });
  return tag;
}

/** Where apt on this machine gets the suite from. */
async function mirror(suite: string): Promise<string> {
  const sites = await run('apt-get', [
    'indextargets',
    '--format',
    '$(SITE) $(CODENAME)',
    'Created-By: Packages',
  ]);
  const site = sites
    .split('\n')
    .map((line) => line.trim().split(' '))
    .find(([, codename]) => codename === suite)?.[0];
  if (site) return site;
  throw new HarnessError(
    `apt on this machine has no source for Debian ${suite}, from which the nodes are made: add one to /etc/apt/sources.list and run apt-get update`,
  );
}
