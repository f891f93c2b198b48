/** What this machine must have before anything is compiled: half an hour later is too late to say it. */
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { type Machine, thisMachine, which } from '../tools/machine.ts';
import { GO_MINIMUM } from '../tools/pins.ts';
import { findGo } from '../tools/plan-install.ts';
import { compareVersions } from '../tools/versions.ts';
import type { Tell } from './cache.ts';
import type { Engine } from './engine.ts';
import { missingPackages, needPackages } from './packages.ts';
import type { GoSource } from './pins.ts';
import { areCached } from './published.ts';
import { BOOTSTRAP_PACKAGES, lacksSystem, mirrorOf, type System } from './system-image.ts';

/** What a compiler of C is in. */
const C_PACKAGES = { gcc: 'gcc', '/usr/include/stdlib.h': 'libc6-dev' };

/** What a command will want; only of what is not there yet is anything asked. */
export interface Wanted {
  systems: Readonly<Record<string, System>>;
  sources: Readonly<Record<string, GoSource>>;
}

/**
 * Installs the packages that are missing.
 * @throws RefusedError with all that only the user can mend; HarnessError when packages, or a Debian release, can not be had
 */
export async function prepareMachine(
  engine: Engine,
  { systems, sources }: Wanted,
  tell: Tell,
  machine: Machine = thisMachine(),
): Promise<void> {
  const lacking = await Promise.all(
    Object.entries(systems).map(async ([name, system]) =>
      (await lacksSystem(engine, name, system)) ? [system] : [],
    ),
  );
  const suites = new Set(lacking.flat().map(({ suite }) => suite));
  const compiled = Object.entries(sources).filter(([name, source]) => !areCached(name, source));
  const packages = {
    ...(suites.size > 0 ? BOOTSTRAP_PACKAGES : {}),
    ...(compiled.some(([, { cgo }]) => cgo) ? C_PACKAGES : {}),
  };
  const problems = [
    ...(suites.size > 0 ? bootstrapProblems(machine) : []),
    ...(compiled.length > 0 ? await goProblems(machine) : []),
    ...packageProblems(missingPackages(packages, machine), machine),
  ];
  if (problems.length > 0) throw new RefusedError(problems);
  await needPackages(packages, tell, machine);
  for (const suite of suites) await mirrorOf(suite);
}

function bootstrapProblems(machine: Machine): Diagnostic[] {
  if (which(machine, 'apt-get') === undefined)
    return [
      {
        file: 'apt-get',
        message: "not here: the nodes are made of Debian's packages, by a machine that is Debian",
      },
    ];
  if (machine.uid === 0) return [];
  return [{ file: 'root', message: 'debootstrap, which makes the nodes, needs it: run the same with sudo' }];
}

async function goProblems(machine: Machine): Promise<Diagnostic[]> {
  const go = await findGo(machine);
  if (go !== undefined && compareVersions(go.version, GO_MINIMUM) >= 0) return [];
  const state = go === undefined ? 'is missing' : `${go.path} is ${go.version}`;
  return [
    {
      file: 'go',
      message: `${state}: install Go ${GO_MINIMUM} or newer (https://go.dev/doc/install) and put it on PATH`,
    },
  ];
}

function packageProblems(missing: string[], machine: Machine): Diagnostic[] {
  if (missing.length === 0 || machine.uid === 0) return [];
  return [
    {
      file: 'not root',
      message: `packages are missing: sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`,
    },
  ];
}
