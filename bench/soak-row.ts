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
 * One key for all files in git that a run can depend on. Changes that are in no commit make it undefined: nobody could tell later what ran.
 * @throws Error when the project is in no git repository
 */
export function codeKey(project: string): string | undefined {
  const changed = lines(project, 'status', '--porcelain', '--untracked-files=all').map((line) =>
    line.slice(3),
  );
  if (changed.some((file) => !BESIDE.test(file))) return undefined;
  const files = lines(project, 'ls-tree', '-r', 'HEAD').filter(
    (line) => !BESIDE.test(line.split('\t')[1] ?? ''),
  );
  return createHash('sha256').update(files.join('\n')).digest('hex').slice(0, 12);
}

function lines(project: string, ...args: string[]): string[] {
  const { status, stdout, stderr, error } = spawnSync('git', ['-C', project, ...args], { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`git ${args[0]}: ${error?.message ?? stderr.trim()}: a soak counts by what git has`);
  return stdout.split('\n').filter(Boolean);
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

/** How many rounds of this code on this target passed without one between them that did not, up to the newest. */
export function passedInARow(rounds: readonly SoakRound[], code: string, target: string): number {
  const own = rounds.filter((round) => round.code === code && round.target === target);
  return own.length - 1 - own.findLastIndex(({ passed }) => !passed);
}
