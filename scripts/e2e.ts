/**
 * `make e2e`: the cluster up, scenarios on it, and the cluster down again unless it was there before or KEEP=1 says to leave it
 * (one that could not be made whole stays too: the next time goes on from there).
 * SCENARIO=a b: only these; SCENARIO=all: also those that take long or more than two cores. TIME_SCALE=10, LOAD_SCALE=builds=0.035 0.2: how fast, and how much of the spine's load; the defaults
 * are what two cores can do (scripts/pace.ts). DEFECT=NAME switches a defect of the platform on: its scenario must fail. WORKERS=2. Exit code: the worst of the runs.
 */
import './crash.ts';
import { globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { RefusedError } from '../base/errors.ts';
import { clusterStands } from '../kind/cluster.ts';
import { findEngine } from '../kind/engine.ts';
import { readOutcome, renderVerdictTable, writeIndex } from '../reports/index.ts';
import { DEFECTS } from '../targets/defects.ts';
import { runToEnd, stopped } from './child.ts';
import { saidOfDefect } from './defect.ts';
import { checkScales, choose, INTERRUPTED, PACES, runsOf, worstOf } from './pace.ts';

const ROOT = join(import.meta.dirname, '..');
const RUNS = join(ROOT, 'reports/runs');
const { chosen, leftOut, unknown } = choose(process.env.SCENARIO ?? '');
if (unknown.length > 0) {
  console.error(`SCENARIO: ${unknown.join(', ')}: expected all, or some of ${[...PACES.keys()].join(', ')}`);
  process.exit(64);
}
const { DEFECT = '' } = process.env;
if (DEFECT !== '' && !DEFECTS.includes(DEFECT)) {
  console.error(`DEFECT: "${DEFECT}": expected one of ${DEFECTS.join(', ')}`);
  process.exit(64);
}

try {
  checkScales(chosen);
} catch (error) {
  if (!(error instanceof RefusedError)) throw error;
  console.error(error.message);
  process.exit(64);
}

async function node(...args: string[]): Promise<number> {
  const { code } = await runToEnd(process.execPath, args, ROOT);
  return code ?? INTERRUPTED;
}

// Where no engine answers there is none, and what makes the cluster says so.
const wasThere = await findEngine().then(clusterStands, () => false);
const cluster = stopped() ? INTERRUPTED : await node('scripts/kind.ts', 'cluster');
if (cluster !== 0) process.exit(cluster);
const timeScale = process.env.TIME_SCALE || '10';
console.log(`time scale ${timeScale}; a nightly run is TIME_SCALE=1, which takes ${timeScale} times as long`);
if (leftOut.length > 0)
  console.log(
    `not run, since they take long or more than two cores: ${leftOut.join(', ')} (SCENARIO=all runs them too)`,
  );
const bundles = () => globSync(`${RUNS}/*/plan.json`).map(dirname);
const before = new Set(bundles());
const codes: number[] = [];
// What is interrupted undoes what it did and ends; then what was made here goes as well.
for (const args of runsOf(chosen)) {
  const code = stopped() ? INTERRUPTED : await node('cli/main.ts', 'run', ...args);
  codes.push(code);
  if (code === INTERRUPTED) break;
}
// Each pace was a command of its own, with a table of its own.
const made = bundles()
  .filter((bundle) => !before.has(bundle))
  .sort();
if (codes.length > 1 && made.length > 0) {
  const outcomes = await Promise.all(made.map(readOutcome));
  console.log(`\n${renderVerdictTable(outcomes.map(({ verdict }) => verdict))}`);
  console.log(`All reports: ${relative(process.cwd(), await writeIndex(made, join(RUNS, 'index.html')))}`);
}
const said = saidOfDefect(DEFECT, worstOf(codes));
if (said !== undefined) console.log(`\n${said}`);
if (wasThere || process.env.KEEP === '1') console.log('the cluster stays: make cluster-down takes it away');
else codes.push(await node('scripts/kind.ts', 'cluster-down'));
process.exit(worstOf(codes));
