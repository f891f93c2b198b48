/**
 * Rounds of a soak that add up over days: ten of `make e2e` are seven hours on two cores. What counts is that nothing which runs has
 * changed between them: their key is the content of the rooms, not the commit, so that a commit of documents or tests breaks no row.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const soakRound = z.object({
  /** {@link codeKey} when it began. */
  code: z.string(),
  target: z.string(),
  /** Wall time of its begin, ISO 8601. */
  began: z.string(),
  /** Length in seconds. */
  seconds: z.number(),
  scenarios: z.number(),
  passed: z.boolean(),
});
export type SoakRound = z.infer<typeof soakRound>;

/** Not what runs: documents, tests, benchmarks, pictures. */
const BESIDE = /^(docs|test|bench|\.ci)\/|\.test\.ts$|\.md$|^\./;

/**
 * One key for all files in git that a run can depend on. Undefined where git does not have them, or not as they are now: nobody could tell
 * later what ran.
 */
export function codeKey(project: string): string | undefined {
  // A file that was renamed is two: its old name may be that of a document.
  const changed = lines(project, 'status', '--porcelain', '--untracked-files=all', '--no-renames');
  const tracked = lines(project, 'ls-tree', '-r', 'HEAD');
  if (changed === undefined || tracked === undefined) return undefined;
  if (changed.some((line) => !BESIDE.test(line.slice(3)))) return undefined;
  const files = tracked.filter((line) => !BESIDE.test(line.split('\t')[1] ?? ''));
  return createHash('sha256').update(files.join('\n')).digest('hex').slice(0, 12);
}

/** @returns undefined when git is not here, or the project in none of its repositories */
function lines(project: string, ...args: string[]): string[] | undefined {
  const { status, stdout } = spawnSync('git', ['-C', project, ...args], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n').filter(Boolean) : undefined;
}

/** The rounds on record, oldest first. @throws Error on a line that is none: a row with a hole in it is no row */
export function recordedRounds(file: string): SoakRound[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => soakRound.parse(JSON.parse(line)));
}

export function recordRound(file: string, round: SoakRound): void {
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(round)}\n`);
}

/**
 * Whether all that was to run was run, and passed.
 * @param codes exit codes of the commands @param verdicts of the bundles that they left @param scenarios how many there should be
 */
export const isPassed = (codes: readonly number[], verdicts: readonly string[], scenarios: number): boolean =>
  codes.every((code) => code === 0) &&
  verdicts.length === scenarios &&
  verdicts.every((verdict) => verdict === 'pass');

/** How many rounds of this code on this target passed without one between them that did not, up to the newest. */
export function passedInARow(rounds: readonly SoakRound[], code: string, target: string): number {
  const own = rounds.filter((round) => round.code === code && round.target === target);
  return own.length - 1 - own.findLastIndex(({ passed }) => !passed);
}
