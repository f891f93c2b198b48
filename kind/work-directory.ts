/**
 * Directories in which results are made: beside the cache and not in /tmp, which may be a small memory disk. Each is named after the process
 * that made it, so that the next command removes those whose process was killed.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { processLives, thisProcess } from '../base/process-start.ts';
import { exec } from '../tools/exec.ts';
import type { Tell } from './cache.ts';

const OURS = /^\.(partial|image)-/;
/** What chance and {@link thisProcess} say of a directory's owner. The pid comes last, where earlier versions look for it, and had it alone. */
const OWNER = /-[0-9a-f]{6}_(\d+)_(.+)-(\d+)$/;

/** A path that no other process has, nor this one had before: a pid comes again. @param name begins with `partial-` or `image-` */
export function workPath(cache: string, name: string): string {
  const [pid, started, boot] = thisProcess().split(' ');
  return join(cache, `.${name}-${randomBytes(3).toString('hex')}_${started}_${boot}-${pid}`);
}

/** Makes such a directory, empty. */
export function makeWorkDirectory(cache: string, name: string): string {
  const directory = workPath(cache, name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

function ownerLives(name: string): boolean {
  const [, started, boot, pid] = OWNER.exec(name) ?? [];
  if (pid !== undefined) return processLives(`${pid} ${started} ${boot}`);
  return existsSync(`/proc/${name.split('-').at(-1)}`);
}

/** Removes what killed processes have left, and tells what it had to leave. Never throws: what comes after does not depend on it. */
export async function sweep(cache: string, tell: Tell): Promise<void> {
  for (const name of existsSync(cache) ? readdirSync(cache) : [])
    if (OURS.test(name) && !ownerLives(name)) await removeWork(join(cache, name), tell);
}

/**
 * Removes what is there, but nothing that is mounted below: debootstrap mounts the kernel's own file systems in the root that it makes, and
 * whoever empties these empties the machine's. What can not be unmounted stays, and is told.
 */
export async function removeWork(path: string, tell: Tell): Promise<void> {
  if (!existsSync(path)) return;
  const mounted = await unmountBelow(path);
  if (mounted.length > 0)
    return tell(
      `left     ${path}: ${mounted.join(', ')} can not be unmounted; unmount and remove it yourself`,
    );
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    tell(`left     ${path}: ${(error as Error).message}`);
  }
}

/** @returns what is mounted below all the same */
export async function unmountBelow(path: string): Promise<string[]> {
  // The innermost first. Not `run`, which does nothing any more once it was interrupted.
  for (const point of mountsBelow(path).reverse()) await exec('umount', [point], { timeoutMs: 60_000 });
  return mountsBelow(path);
}

/** Mount points below a path, in the order in which they were mounted. @param table as the kernel has it: proc(5), /proc/PID/mountinfo */
export function mountsBelow(path: string, table = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  const root = `${realpathSync(path)}/`;
  return (
    table
      .split('\n')
      // Blanks and backslashes are written as \040.
      .map((line) =>
        (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) =>
          String.fromCharCode(Number.parseInt(octal, 8)),
        ),
      )
      .filter((point) => point.startsWith(root))
  );
}
