/** Where a run lives: its bundle (kept) and its work directory (removed, by the reaper if need be). */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RefusedError } from '../base/errors.ts';
import { processLives, thisProcess } from '../base/process-start.ts';
import { FILES } from '../evidence/tables.ts';

/**
 * All work directories of this user's runs are below this one, so that `faultline clean` finds those that were left. Made when it is not
 * there. What an undo log in it names is run: so it must be nobody else's, and nobody else may write into it.
 * @throws RefusedError when it is a link, another user's, or open to others
 */
export function workRoot(): string {
  const uid = process.getuid?.() ?? 0;
  const root = join(tmpdir(), `faultline-${uid}`);
  if (lstatSync(root, { throwIfNoEntry: false }) === undefined)
    mkdirSync(root, { recursive: true, mode: 0o700 });
  const found = lstatSync(root);
  const wrong = !found.isDirectory()
    ? 'it is a link, or no directory'
    : found.uid !== uid
      ? "it is another user's"
      : found.mode & 0o022
        ? 'others may write into it'
        : undefined;
  if (wrong !== undefined)
    throw new RefusedError([
      {
        file: root,
        message: `${wrong}, and commands that undo logs in it name would be run as you: move it away, or let TMPDIR name another directory; what you find to be yours in it, \`faultline clean\` undoes once it is yours alone (mode 0700)`,
      },
    ]);
  if (found.mode & 0o077) chmodSync(root, 0o700);
  return root;
}

export function workDirectories(): string[] {
  const root = workRoot();
  return readdirSync(root).map((name) => join(root, name));
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

/** Makes a work directory that this process owns for as long as it lives. */
export function makeWorkDirectory(workDirectory: string): void {
  mkdirSync(workDirectory, { recursive: true, mode: 0o700 });
  writeFileSync(join(workDirectory, OWNER_FILE), thisProcess());
}

/** Whether the process that made a work directory still runs. */
export function ownerLives(workDirectory: string): boolean {
  try {
    return processLives(readFileSync(join(workDirectory, OWNER_FILE), 'utf8'));
  } catch {
    return false;
  }
}

/** Sortable by time, unique by its random tail, short enough for a label: `20261122-151600-steady-control-4f2a`. */
export function newRunId(scenario: string, now: Date, random: number): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${scenario}-${Math.floor(random * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
