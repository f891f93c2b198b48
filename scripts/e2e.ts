/**
 * `make e2e`: the cluster up, scenarios on it, and the cluster down again unless it was there before or KEEP=1 says to leave it.
 * SCENARIO=a b: only these; SCENARIO=all: also those that take long or more than two cores. TIME_SCALE=10, LOAD_SCALE=builds=0.035 0.2: how fast, and how much of the spine's load; the defaults
 * are what two cores can do (scripts/pace.ts). WORKERS=2. Exit code: the worst of the runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfigPath } from '../kind/cluster.ts';
import { choose, PACES, runsOf } from './pace.ts';

const ROOT = join(import.meta.dirname, '..');
const { chosen, leftOut, unknown } = choose(process.env.SCENARIO ?? '');
if (unknown.length > 0) {
  console.error(`SCENARIO: ${unknown.join(', ')}: expected all, or some of ${[...PACES.keys()].join(', ')}`);
  process.exit(64);
}

function node(...args: string[]): number {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  return status ?? 130;
}

const wasThere = existsSync(kubeconfigPath());
const made = node('scripts/kind.ts', 'cluster');
if (made !== 0) process.exit(made);
const timeScale = process.env.TIME_SCALE || '10';
console.log(`time scale ${timeScale}; a nightly run is TIME_SCALE=1, which takes ${timeScale} times as long`);
if (leftOut.length > 0)
  console.log(
    `not run, since they take long or more than two cores: ${leftOut.join(', ')} (SCENARIO=all runs them too)`,
  );
const codes = runsOf(chosen).map((args) => node('cli/main.ts', 'run', ...args));
if (wasThere || process.env.KEEP === '1') console.log('the cluster stays: make cluster-down takes it away');
else codes.push(node('scripts/kind.ts', 'cluster-down'));
process.exit(Math.max(...codes));
