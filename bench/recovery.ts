/**
 * The measured recovery time against the true one, taken from the platform's own log: the receiver's "broker connected"
 * and the builder's first "build completed" after the partition is reverted. Bound: error <= 0.5 s at the median.
 * Usage: node bench/recovery.ts [runs, or a directory of bundles that are there, such as those of bench/soak.ts]
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bundle } from '../evidence/bundle.ts';
import type { VerdictDocument } from '../evidence/verdict.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BOUND_S = 0.5;
/** Recovery of the scenario -> component and message of its log that mark the true instant. */
const TRUTH: Record<string, [component: string, message: string]> = {
  'events-taken-again': ['receiver', 'broker connected'],
  'builds-back': ['builder', 'build completed'],
};
const SCENARIO = 'builds-rabbitmq-partition';

const given = process.argv[2] ?? '5';
const bundles = /^\d+$/.test(given) ? freshBundles(Number(given)) : bundlesIn(given);
const errors: number[] = [];
for (const bundle of bundles) {
  const verdict = JSON.parse(readFileSync(join(bundle, 'verdict.json'), 'utf8')) as VerdictDocument;
  const { entries } = await Bundle.open(bundle).journal();
  const reverted = entries.find((entry) => entry.type === 'fault.reverted');
  if (!reverted) throw new Error(`${bundle}: the fault was not reverted`);
  const revertedMs = Date.parse(reverted.wall);
  for (const { name, tookMs } of verdict.recovery) {
    const [component, message] = TRUTH[name] as [string, string];
    const seen = readFileSync(join(bundle, 'logs', `${component}.log`), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { ts: string; msg: string })
      .find((line) => line.msg === message && Date.parse(line.ts) >= revertedMs);
    if (!seen || tookMs === null)
      throw new Error(`${bundle}: ${name} has no ${seen ? 'measured' : 'true'} recovery`);
    const trueMs = Date.parse(seen.ts) - revertedMs;
    errors.push(Math.abs(tookMs - trueMs) / 1000);
    console.log(
      `${verdict.run.id} ${name}: measured ${(tookMs / 1000).toFixed(3)} s, true ${(trueMs / 1000).toFixed(3)} s, error ${errors.at(-1)?.toFixed(3)} s`,
    );
  }
}
errors.sort((a, b) => a - b);
const median = errors[Math.floor(errors.length / 2)] ?? Number.POSITIVE_INFINITY;
console.log(
  `${errors.length} measurements: median error ${median.toFixed(3)} s, worst ${errors.at(-1)?.toFixed(3)} s, bound ${BOUND_S} s: ${median <= BOUND_S ? 'held' : 'NOT HELD'}`,
);
process.exitCode = median <= BOUND_S ? 0 : 1;

function* freshBundles(runs: number): Generator<string> {
  const out = mkdtempSync(join(tmpdir(), 'faultline-recovery-'));
  for (let i = 1; i <= runs; i++) {
    const directory = join(out, String(i));
    spawnSync(join(ROOT, 'bin/faultline'), ['run', SCENARIO, '--out', directory, '--seed', String(i)], {
      stdio: 'ignore',
    });
    yield join(directory, readdirSync(directory)[0] as string);
  }
}

function bundlesIn(directory: string): string[] {
  return globSync(`**/*-${SCENARIO}-*/verdict.json`, { cwd: directory })
    .sort()
    .map((file) => join(directory, dirname(file)));
}
