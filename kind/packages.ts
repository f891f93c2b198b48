import { existsSync } from 'node:fs';
import { aptInstall } from '../tools/apt.ts';
import { thisMachine, which } from '../tools/machine.ts';
import type { Tell } from './cache.ts';

/** Installs what is missing. `needed`: a command, or the absolute path of a file -> the Debian package that has it. */
export async function needPackages(needed: Record<string, string>, tell: Tell): Promise<void> {
  const machine = thisMachine();
  const missing = Object.entries(needed)
    .filter(([name]) => (name.startsWith('/') ? !existsSync(name) : !which(machine, name, ['/usr/sbin'])))
    .map(([, name]) => name);
  if (missing.length === 0) return;
  tell(`started  apt-get install ${missing.join(' ')}`);
  await aptInstall(missing, machine, { updateFirst: false });
  tell('done     apt-get install');
}
