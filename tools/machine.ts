import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What the resolver asks of the machine it is on; the tests give it another one. */
export interface Machine {
  env: NodeJS.ProcessEnv;
  /** Effective user: 0 is root. */
  uid: number;
  /** Prefix of the absolute directories where packages put things; '' on a real machine. */
  root: string;
}

export function thisMachine(): Machine {
  return { env: process.env, uid: process.geteuid?.() ?? -1, root: '' };
}

function home(machine: Machine): string {
  return machine.env.HOME || homedir();
}

/** Directories of PATH, without empty and relative entries: a tool must not depend on where the user stands. */
export function pathDirectories(machine: Machine): string[] {
  return (machine.env.PATH ?? '').split(delimiter).filter((directory) => directory.startsWith('/'));
}

/** Where Faultline keeps the tools it builds: `${XDG_CACHE_HOME:-~/.cache}/faultline/tools`. */
export function cacheDirectory(machine: Machine): string {
  const base = machine.env.XDG_CACHE_HOME?.startsWith('/')
    ? machine.env.XDG_CACHE_HOME
    : join(home(machine), '.cache');
  return join(base, 'faultline', 'tools');
}

/** Where `go install` leaves binaries when nobody says otherwise. */
export function goBinDirectories(machine: Machine): string[] {
  const { GOBIN, GOPATH } = machine.env;
  const paths = GOPATH ? GOPATH.split(delimiter) : [join(home(machine), 'go')];
  return [...(GOBIN ? [GOBIN] : []), ...paths.map((path) => join(path, 'bin'))];
}

/** A command on PATH, or undefined. `also`: directories tried after PATH. */
export function which(machine: Machine, command: string, also: string[] = []): string | undefined {
  return [...pathDirectories(machine), ...also]
    .map((directory) => join(directory, command))
    .find((path) => existsSync(path));
}
