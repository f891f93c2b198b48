/** Where a run lives: its bundle (kept) and its work directory (removed, by the reaper if need be). */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { processLives, thisProcess } from '../base/process-start.ts';
import { FILES } from '../evidence/tables.ts';
import { stateDirectory, statePath } from './state-directory.ts';

/** A home directory may be that of many machines, and of another's processes nothing can be told from here. */
const thisHost = (): string => encodeURIComponent(hostname());

/** Of all work directories of this user's runs on a machine, whether it is there or not. @throws RefusedError when nobody knows where */
export const workRootPath = (host = thisHost()): string => join(statePath(), host);

/**
 * All work directories of this user's runs on this machine are below this one, so that `faultline clean` finds those that were left, also
 * after a reboot. Made when it is not there. What an undo log in it names is run: so what it is in must be nobody else's, and nobody else
 * may write there.
 * @throws RefusedError when there is no such place
 */
export function workRoot(): string {
  const root = join(stateDirectory(), thisHost());
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return root;
}

/** @param host absent: this machine; of another that was never here there are none */
export function workDirectories(host = thisHost()): string[] {
  const root = host === thisHost() ? workRoot() : join(stateDirectory(), host);
  return existsSync(root) ? readdirSync(root).map((name) => join(root, name)) : [];
}

/** Other machines whose runs have, or left, work directories in the same home directory. */
export function otherHosts(): string[] {
  return readdirSync(stateDirectory(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== thisHost())
    .map(({ name }) => name)
    .filter((host) => workDirectories(host).length > 0);
}

export interface RunDirectories {
  bundle: string;
  logs: string;
  work: string;
}

/** Makes the bundle's directories. The work directory is made when its reaper watches (engine/run.ts). */
export function makeRunDirectories(runsDirectory: string, runId: string): RunDirectories {
  const bundle = join(runsDirectory, runId);
  const directories = { bundle, logs: join(bundle, FILES.logs), work: join(workRoot(), runId) };
  mkdirSync(directories.logs, { recursive: true, mode: 0o700 });
  return directories;
}

const OWNER_FILE = 'owner';

/** Makes a work directory that a process owns for as long as it lives. @param owner its mark (base/process-start.ts) */
export function makeWorkDirectory(workDirectory: string, owner = thisProcess()): void {
  mkdirSync(workDirectory, { recursive: true, mode: 0o700 });
  writeFileSync(join(workDirectory, OWNER_FILE), owner);
}

/** Whether the process that made a work directory still runs, on this machine. */
export const ownerLives = (workDirectory: string): boolean => livingOwner(workDirectory) !== undefined;

/** Its pid; undefined when it has ended. */
export function livingOwner(workDirectory: string): number | undefined {
  try {
    const owner = readFileSync(join(workDirectory, OWNER_FILE), 'utf8');
    return processLives(owner) ? Number.parseInt(owner, 10) : undefined;
  } catch {
    return undefined;
  }
}

/** Sortable by time, unique by its random tail, short enough for a label: `20261122-151600-steady-control-4f2a`. */
export function newRunId(scenario: string, now: Date, random: number): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${scenario}-${Math.floor(random * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
