/** `faultline up` and `down`: one kept target a user; a second `up` is refused while the first lives. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { markOf } from '../base/process-start.ts';
import { sayGone, undoAll } from '../chaos/undo/log.ts';
import type { Endpoints } from '../targets/target.ts';
import { livingOwner, makeWorkDirectory, ownerLives, workRoot } from './run-directories.ts';

export const HOST_STATE = 'state.json';

export interface HostRequest {
  /** Name of the target. */
  target: string;
  /** As on the command line; files and directories absolute. */
  profile: string;
  platform?: string;
  cluster?: string;
  guardrails?: string;
  runId: string;
  directory: string;
  timeScale: number;
  defects: string[];
  rules: string;
  scrapeMs: number;
  evaluationMs: number;
}

export interface HostState {
  pid: number;
  endpoints: Endpoints;
  components: Record<string, string>;
}

const RUN_ID = 'up';

export function hostDirectory(): string {
  return join(workRoot(), RUN_ID);
}

/** The kept target, or undefined when none is up. */
export function hostState(): HostState | undefined {
  const file = join(hostDirectory(), HOST_STATE);
  return ownerLives(hostDirectory()) && existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as HostState)
    : undefined;
}

/** @throws RefusedError when a target is up already, HarnessError when it does not come up. */
export async function startHost(request: Omit<HostRequest, 'runId' | 'directory'>): Promise<HostState> {
  const directory = hostDirectory();
  if (ownerLives(directory))
    throw new RefusedError([
      {
        file: `--target ${request.target}`,
        message: 'a target is up already, or coming up: use it, or end it with `faultline down`',
      },
    ]);
  // Left by a host that was killed: undone before a new one takes its place.
  const failures = existsSync(directory) ? await undoAll(directory, sayGone) : [];
  if (failures.length > 0) throw new HarnessError(leftByAnother(failures));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'logs'), { recursive: true, mode: 0o700 });
  const file = join(directory, 'request.json');
  writeFileSync(file, JSON.stringify({ ...request, runId: RUN_ID, directory } satisfies HostRequest));
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./host-process.ts', import.meta.url)), file],
    { detached: true, stdio: ['ignore', 'pipe', 'ignore'], cwd: '/' },
  );
  // At once, and not when it gets to it: from here on `down` knows whom to end.
  if (child.pid !== undefined) makeWorkDirectory(directory, markOf(child.pid));
  const said = await new Promise<string>((resolve) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk).trim()));
    child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `code ${code}`}`));
  });
  child.stdout.destroy();
  child.unref();
  const state = hostState();
  if (said !== 'ready' || !state) throw new HarnessError(`the target did not come up: ${said}`);
  return state;
}

/** Ends the kept target, or one that is still coming up, and waits until nothing of it is left. Returns false when none was there. */
export async function stopHost(withinMs = 120_000): Promise<boolean> {
  const directory = hostDirectory();
  if (!existsSync(directory)) return false;
  await endOwner(directory, withinMs);
  if (existsSync(directory)) {
    const failures = await undoAll(directory, sayGone);
    if (failures.length > 0) throw new HarnessError(leftByAnother(failures));
    rmSync(directory, { recursive: true, force: true });
  }
  return true;
}

const KILLED_WITHIN_MS = 5000;

/** For as long as it lives, it may make more than what was undone. One that does not end is killed: what it made is in its log. */
async function endOwner(directory: string, withinMs: number): Promise<void> {
  for (const [signal, patience] of [
    ['SIGTERM', withinMs],
    ['SIGKILL', KILLED_WITHIN_MS],
  ] as const) {
    const pid = livingOwner(directory);
    if (pid === undefined) return;
    try {
      process.kill(pid, signal);
    } catch {
      // Ended meanwhile.
    }
    const deadline = performance.now() + patience;
    while (ownerLives(directory) && performance.now() < deadline) await sleep(100);
  }
}

const leftByAnother = (failures: string[]) =>
  `what a target that was up has left could not be undone: ${failures.join('; ')}; mend that, then run \`faultline clean\``;
