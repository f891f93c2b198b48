/** Build steps whose results are kept by the content of what went into them. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { syncTree } from '../base/sync-tree.ts';
import { makeWorkDirectory } from './work-directory.ts';

/** Told when a step begins and ends; a step that was cached ends at once. */
export type Tell = (line: string) => void;

export interface Step {
  /** Lower-case letters, digits and -: the name of its directory. */
  name: string;
  /** Everything that its result depends on: another value is another result. */
  inputs: unknown;
  /** Makes the result in an empty directory. */
  build(directory: string): Promise<void>;
}

/** Where results are kept: `${XDG_CACHE_HOME:-~/.cache}/faultline/kind`. */
export function kindCache(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CACHE_HOME?.startsWith('/')
    ? env.XDG_CACHE_HOME
    : join(env.HOME || homedir(), '.cache');
  return join(base, 'faultline', 'kind');
}

export function contentKey(name: string, inputs: unknown): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([name, inputs]))
    .digest('hex');
  return `${name}-${hash.slice(0, 12)}`;
}

/**
 * The directory of a step's result, made now if it is not there. It appears whole or not at all, also when the power goes, so an interrupted
 * build is begun anew; older results of the same step go once the new one is there. What must outlast that is copied (cluster.ts, kubectl).
 */
export async function built(step: Step, tell: Tell, cache = kindCache()): Promise<string> {
  const key = contentKey(step.name, step.inputs);
  const directory = join(cache, key);
  if (existsSync(directory)) {
    tell(`cached   ${step.name}`);
    return directory;
  }
  const partial = makeWorkDirectory(cache, `partial-${key}`);
  const began = performance.now();
  tell(`started  ${step.name}`);
  try {
    await step.build(partial);
    await syncTree(partial);
    publish(partial, directory);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  for (const old of readdirSync(cache))
    if (
      old !== key &&
      old.startsWith(`${step.name}-`) &&
      /-[0-9a-f]{12}$/.test(old) &&
      old.length === key.length
    )
      rmSync(join(cache, old), { recursive: true, force: true });
  tell(`done     ${step.name} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
  return directory;
}

/** Of two that made the same, the first one's is as good as the second's. */
function publish(partial: string, directory: string): void {
  try {
    renameSync(partial, directory);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOTEMPTY', 'EEXIST'].includes(code) || !existsSync(directory)) throw error;
  }
}
