/** Root file systems of Debian, made by debootstrap from the mirror that this machine's own apt uses, as images of the engine. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import type { Tell } from './cache.ts';
import { interrupt, run } from './command.ts';
import type { Engine } from './engine.ts';
import { contentTag, ensureImage } from './images.ts';
import { needPackages } from './packages.ts';
import { unmountBelow } from './work-directory.ts';

export interface System {
  suite: string;
  packages: string[];
}

/** What makes a system. The keys are how its packages are known to be Debian's. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
export const BOOTSTRAP_PACKAGES = { debootstrap: 'debootstrap', [KEYRING]: 'debian-archive-keyring' };

/** Those that are being made, or were, by their tags: who comes second waits for the first. One that failed is begun anew. */
const made = new Map<string, Promise<string>>();

/** Tag of an image that holds the system; made when the engine does not have it. */
export function systemImage(engine: Engine, name: string, system: System, tell: Tell): Promise<string> {
  const tag = contentTag(name, system);
  const known = made.get(tag);
  if (known) return known;
  const making = makeSystem(engine, tag, system, tell);
  made.set(tag, making);
  making.catch(() => made.delete(tag));
  return making;
}

/** Whether it has to be made first. */
export const lacksSystem = async (engine: Engine, name: string, system: System): Promise<boolean> =>
  !(await engine.hasImage(contentTag(name, system)));

/**
 * Begins with systems that will be wanted, one after the other: unpacking packages waits for the disk and the network, and compilers use
 * the processors meanwhile. What fails here is told, and begun anew when it is wanted.
 */
export async function beginSystems(
  engine: Engine,
  systems: Readonly<Record<string, System>>,
  tell: Tell,
): Promise<void> {
  for (const [name, system] of Object.entries(systems))
    await systemImage(engine, name, system, tell).catch((error: Error) => {
      if (!interrupt.signal.aborted)
        tell(`failed   ${name}, tried again when it is wanted: ${error.message}`);
    });
}

async function makeSystem(engine: Engine, tag: string, system: System, tell: Tell): Promise<string> {
  await ensureImage(engine, tag, tell, async (directory) => {
    await needPackages(BOOTSTRAP_PACKAGES, tell);
    const root = join(directory, 'root');
    const archive = join(directory, 'root.tar');
    mkdirSync(root);
    await run('debootstrap', [
      '--variant=minbase',
      `--include=${system.packages.join(',')}`,
      // Without it, one that finds no keys takes whatever the mirror has.
      ...(existsSync(KEYRING) ? ['--force-check-gpg'] : []),
      ...[system.suite, root, await mirrorOf(system.suite)],
    ]);
    // What its packages have mounted is no part of it.
    await unmountBelow(root);
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

/** Where apt on this machine gets Debian's suite from: others publish packages for it under the same name. @throws HarnessError */
export async function mirrorOf(suite: string): Promise<string> {
  const sites = await run('apt-get', [
    ...['indextargets', '--format', '$(SITE) $(CODENAME) $(ORIGIN)', 'Created-By: Packages'],
  ]);
  const site = sites
    .split('\n')
    .map((line) => /^(\S+) (\S+) (.+)$/.exec(line.trim()) ?? [])
    .find(([, , codename, origin]) => codename === suite && origin === 'Debian')?.[1];
  if (site) return site;
  throw new HarnessError(
    `apt on this machine has no source of Debian's own for ${suite}, from which the nodes are made: add one to /etc/apt/sources.list and run apt-get update`,
  );
}
