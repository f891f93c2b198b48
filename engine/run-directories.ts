/** Where a run lives: its bundle (kept) and its work directory (removed, by the reaper if need be). */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILES } from '../evidence/tables.ts';

/** All work directories of this user's runs are below this one, so that `faultline clean` finds those that were left. */
export function workRoot(): string {
  return join(tmpdir(), `faultline-${process.getuid?.() ?? 0}`);
}

export function workDirectories(): string[] {
  try {
    return readdirSync(workRoot()).map((name) => join(workRoot(), name));
  } catch {
    return [];
  }
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
  writeFileSync(join(workDirectory, OWNER_FILE), `${process.pid} ${startTime(process.pid)}`);
}

/** Whether the process that made a work directory still runs. A pid alone may by now be somebody else's, so its start time counts. */
export function ownerLives(workDirectory: string): boolean {
  try {
    const [pid, started] = readFileSync(join(workDirectory, OWNER_FILE), 'utf8').split(' ');
    return startTime(Number(pid)) === started;
  } catch {
    return false;
  }
}

/** Field 22 of /proc/PID/stat, proc(5): ticks after boot. */
function startTime(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
}

/** Sortable by time, unique by its random tail, short enough for a label: `20261122-151600-steady-control-4f2a`. */
export function newRunId(scenario: string, now: Date, random: number): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${scenario}-${Math.floor(random * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
