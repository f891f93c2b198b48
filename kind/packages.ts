import { existsSync } from 'node:fs';
import { aptInstall } from '../tools/apt.ts';
import { type Machine, thisMachine, which } from '../tools/machine.ts';
import type { Tell } from './cache.ts';

/** `needed`: a command, or the absolute path of a file -> the Debian package that has it. @returns the packages that are not there */
export function missingPackages(needed: Record<string, string>, machine: Machine = thisMachine()): string[] {
  return Object.entries(needed)
    .filter(([name]) =>
      name.startsWith('/')
        ? !existsSync(machine.root + name)
        : !which(machine, name, [`${machine.root}/usr/sbin`]),
    )
    .map(([, name]) => name);
}

/** Installs what is missing. */
export async function needPackages(
  needed: Record<string, string>,
  tell: Tell,
  machine: Machine = thisMachine(),
): Promise<void> {
  const missing = missingPackages(needed, machine);
  if (missing.length === 0) return;
  tell(`started  apt-get install ${missing.join(' ')}`);
  await aptInstall(missing, machine, { updateFirst: false });
  tell('done     apt-get install');
}
