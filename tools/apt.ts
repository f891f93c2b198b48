import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { HarnessError } from '../base/errors.ts';
import { processLives, thisProcess } from '../base/process-start.ts';
import { type ExecResult, exec, lastLines } from './exec.ts';
import type { Machine } from './machine.ts';

const TIMEOUT_MS = 15 * 60_000;
const OPTIONS = [
  '-y',
  '--no-install-recommends',
  '-o=DPkg::Lock::Timeout=300',
  '-o=Dpkg::Use-Pty=0',
  '-o=Dpkg::Options::=--force-confdef',
  '-o=Dpkg::Options::=--force-confold',
];
/** What apt says when its lists are older than the archive. */
const STALE_LISTS =
  /Unable to locate package|has no installation candidate|404 +Not Found|Failed to fetch|Unable to fetch/;
const INTERRUPTED = /dpkg was interrupted|dpkg --configure -a/;

/**
 * Installs Debian packages with one call of apt-get, and keeps their services from starting. Fetches the package lists
 * first when asked to, or when they turn out to be stale; finishes what an interrupted dpkg left.
 *
 * @throws HarnessError with the last lines of apt's output.
 */
export async function aptInstall(
  packages: string[],
  machine: Machine,
  options: { updateFirst: boolean; signal?: AbortSignal },
): Promise<void> {
  const env = { ...machine.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', NEEDRESTART_SUSPEND: '1' };
  const run = (command: string, args: string[]) =>
    exec(command, args, { env, timeoutMs: TIMEOUT_MS, signal: options.signal });
  const update = async () => demand('apt-get update', await run('apt-get', ['update', OPTIONS[2] as string]));
  const install = () => run('apt-get', ['install', ...OPTIONS, ...packages]);

  const release = forbidServices(machine);
  try {
    if (options.updateFirst) await update();
    let result = await install();
    if (result.code !== 0 && INTERRUPTED.test(result.output)) {
      demand('dpkg --configure -a', await run('dpkg', ['--configure', '-a', '--force-confold']));
      result = await install();
    }
    if (result.code !== 0 && !options.updateFirst && STALE_LISTS.test(result.output)) {
      await update();
      result = await install();
    }
    demand(`apt-get install ${packages.join(' ')}`, result);
  } finally {
    release();
  }
}

function demand(what: string, result: ExecResult): void {
  if (result.code === 0) return;
  const why = result.failure ?? `exit code ${result.code}`;
  throw new HarnessError(`${what} failed (${why}). Its last lines:\n${lastLines(result.output)}`);
}

const OURS =
  "# Written by Faultline for the time of one installation, so that the packages' services do not start.";

const policyPath = (machine: Machine) => `${machine.root}/usr/sbin/policy-rc.d`;

/** @returns whose installation has put it there, for processLives(); undefined when it is not ours, or there is none */
function ownerOf(path: string): string | undefined {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text.includes(OURS) ? (/^# (\d.*)$/m.exec(text)?.[1] ?? '') : undefined;
}

/** Takes away what an installation of ours that was killed has left: no package's service would be started on this machine any more. */
export function removeLeftPolicy(machine: Machine): void {
  const path = policyPath(machine);
  const owner = ownerOf(path);
  // One that lives takes it away itself, at its end.
  if (machine.uid === 0 && owner !== undefined && !processLives(owner)) rmSync(path, { force: true });
}

/**
 * Debian's way to install a package without starting its service: a policy-rc.d that refuses. One that is there already
 * is the machine owner's and stays; one that an earlier, killed installation of ours left is taken over and removed.
 */
function forbidServices(machine: Machine): () => void {
  const path = policyPath(machine);
  if (existsSync(path) && ownerOf(path) === undefined) return () => {};
  try {
    writeFileSync(path, `#!/bin/sh\n${OURS}\n# ${thisProcess()}\nexit 101\n`, { mode: 0o755 });
  } catch (error) {
    throw new HarnessError(
      `packages can not be installed: ${(error as Error).message}. Only root may: run the same as root, or install them first`,
      { cause: error },
    );
  }
  return () => rmSync(path, { force: true });
}
