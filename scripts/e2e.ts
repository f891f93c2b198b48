/**
 * `make e2e`: the cluster up, scenarios on it, and the cluster down again unless it was there before or KEEP=1 says to leave it.
 * SCENARIO=a b: only these. TIME_SCALE=10, LOAD_SCALE=builds=0.035 0.2: how fast, and how much of the spine's load; the defaults
 * are what two cores can do. WORKERS=2. Exit code: the worst of the runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfigPath } from '../kind/cluster.ts';

const ROOT = join(import.meta.dirname, '..');
const TIME_SCALE = process.env.TIME_SCALE || '10';
/** Written for the processes of target `local`: a build there costs a hundredth of a pod. */
const SPINE = ['invocations-steady', 'scale-to-zero-burst'];
const SPINE_LOAD = (process.env.LOAD_SCALE || 'builds=0.035 0.2').split(/\s+/);
/**
 * Must build what waits, and what comes, in the time that the recovery may take: two cores can only do that with half as many builds.
 * Those in their work when the network goes wait until it is back; a build takes as long as ever, however fast the phases go, so only in
 * this time do they stay fewer than the one in twenty that may take long.
 */
const BACKLOG = ['builds-rabbitmq-partition'];
const BACKLOG_LOAD = (process.env.LOAD_SCALE || 'builds=0.021 0.2').split(/\s+/);
const BACKLOG_TIME_SCALE = String(Math.min(2, Number(TIME_SCALE)));
/** Written for a cluster, with the load of a small one. */
const CLUSTER = [
  'kaniko-killed',
  'dr-builder-oom',
  'split-brain',
  'scale-from-zero-under-partition',
  'dr-node-lost',
  'kaniko-throttled',
  'cold-start-storm',
];
const ALL = [...SPINE, ...BACKLOG, ...CLUSTER];
/** More than two cores can do: six and 25 functions from zero at once, and builds that are begun again and again. */
const ONLY_WHEN_ASKED = ['scale-to-zero-burst', 'cold-start-storm', 'kaniko-throttled'];

const asked = (process.env.SCENARIO ?? '').split(/\s+/).filter(Boolean);
const chosen = asked.length > 0 ? asked : ALL.filter((name) => !ONLY_WHEN_ASKED.includes(name));

function node(...args: string[]): number {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  return status ?? 130;
}

function run(scenarios: string[], loadScale: string[], timeScale = TIME_SCALE): number {
  const names = scenarios.filter((name) => chosen.includes(name));
  if (names.length === 0) return 0;
  const factors = loadScale.flatMap((factor) => ['--load-scale', factor]);
  return node('cli/main.ts', 'run', ...names, '--target', 'kind', '--time-scale', timeScale, ...factors);
}

const unknown = chosen.filter((name) => !ALL.includes(name));
if (unknown.length > 0) {
  console.error(`SCENARIO: ${unknown.join(', ')}: expected some of ${ALL.join(', ')}`);
  process.exit(64);
}
const wasThere = existsSync(kubeconfigPath());
const made = node('scripts/kind.ts', 'cluster');
if (made !== 0) process.exit(made);
console.log(
  `time scale ${TIME_SCALE}; a nightly run is TIME_SCALE=1, which takes ${TIME_SCALE} times as long`,
);
const codes = [run(SPINE, SPINE_LOAD), run(BACKLOG, BACKLOG_LOAD, BACKLOG_TIME_SCALE), run(CLUSTER, [])];
if (wasThere || process.env.KEEP === '1') console.log('the cluster stays: make cluster-down takes it away');
else codes.push(node('scripts/kind.ts', 'cluster-down'));
process.exit(Math.max(...codes));
