/** For tests: judges a synthetic run that a test has changed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseOptions } from '../../evidence/duckdb.ts';
import { passingRun, type SyntheticRun, writeBundle } from '../../evidence/testing.ts';
import type { Check, VerdictDocument } from '../../evidence/verdict.ts';
import { judge } from './index.ts';

/** Runs a test in a directory of its own. */
export async function inDirectory<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'faultline-judge-'));
  try {
    return await use(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Verdict of the passing run after `change`, and after `damage` to its files. */
export function judged(
  change: (run: SyntheticRun) => void,
  damage: (dir: string) => void | Promise<void> = () => {},
  options: DatabaseOptions = {},
): Promise<VerdictDocument> {
  return inDirectory(async (dir) => {
    const run = passingRun();
    change(run);
    await writeBundle(dir, run);
    await damage(dir);
    return judge(dir, options);
  });
}

/** The check of that id; a test that names one that is not there must fail. */
export function check(verdict: VerdictDocument, id: string): Check {
  const found = verdict.checks.find((c) => c.id === id);
  if (!found) throw new Error(`no check ${id} in ${verdict.checks.map((c) => c.id).join(', ')}`);
  return found;
}

/** Removes what does not fit, in place. */
export function keep<T>(list: T[], fits: (item: T) => boolean): void {
  list.splice(0, list.length, ...list.filter(fits));
}
