/**
 * `make e2e`: the cluster up, scenarios on it, and the cluster down again unless it was there before or KEEP=1 says to leave it.
 * SCENARIO=a b: only these. TIME_SCALE=10, LOAD_SCALE=builds=0.035 0.2: how fast, and how much of the spine's load; the defaults
 * are what two cores can do (scripts/pace.ts). WORKERS=2. Exit code: the worst of the runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfigPath } from '../kind/cluster.ts';
import { optionsOf, PACES } from './pace.ts';

const ROOT = join(import.meta.dirname, '..');
/** More than two cores can do: six and 25 functions from zero at once, and builds that are begun again and again. */
const ONLY_WHEN_ASKED = ['scale-to-zero-burst', 'cold-start-storm', 'kaniko-throttled'];

const asked = (process.env.SCENARIO ?? '').split(/\s+/).filter(Boolean);
const unknown = asked.filter((name) => !PACES.has(name));
if (unknown.length > 0) {
  console.error(`SCENARIO: ${unknown.join(', ')}: expected some of ${[...PACES.keys()].join(', ')}`);
  process.exit(64);
}
const isChosen = (name: string) =>
  asked.length > 0 ? asked.includes(name) : !ONLY_WHEN_ASKED.includes(name);

function node(...args: string[]): number {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  return status ?? 130;
}

const wasThere = existsSync(kubeconfigPath());
const made = node('scripts/kind.ts', 'cluster');
if (made !== 0) process.exit(made);
const timeScale = process.env.TIME_SCALE || '10';
console.log(`time scale ${timeScale}; a nightly run is TIME_SCALE=1, which takes ${timeScale} times as long`);
const codes = [...new Set(PACES.values())].map((pace) => {
  const names = [...PACES.keys()].filter((name) => PACES.get(name) === pace && isChosen(name));
  return names.length > 0 ? node('cli/main.ts', 'run', ...names, ...optionsOf(pace)) : 0;
});
if (wasThere || process.env.KEEP === '1') console.log('the cluster stays: make cluster-down takes it away');
else codes.push(node('scripts/kind.ts', 'cluster-down'));
process.exit(Math.max(...codes));
