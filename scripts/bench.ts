/**
 * Runs the benchmarks one after the other: each file at the top of bench/ is a program that exits non-zero when it misses
 * its bound (what they share stands in folders there). Arguments pick those whose names contain one of them; without any,
 * all but the hour of bench/soak.ts, bench/kind.ts and bench/defects.ts, which need a cluster, and bench/effects.ts, which reads bundles.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const APART = ['bench/soak.ts', 'bench/kind.ts', 'bench/defects.ts', 'bench/effects.ts'];
const project = resolve(import.meta.dirname, '..');
const wanted = process.argv.slice(2);
const files = globSync('bench/*.ts', { cwd: project, exclude: ['**/*.test.ts'] })
  .sort()
  .filter((file) =>
    wanted.length === 0 ? !APART.includes(file) : wanted.some((name) => file.includes(name)),
  );
const results: string[] = [];
for (const file of files) {
  console.log(`── ${file}`);
  const begin = performance.now();
  const { status, signal } = spawnSync(process.execPath, [file], { cwd: project, stdio: 'inherit' });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  if (status !== 0) process.exitCode = 1;
  results.push(`${status === 0 ? 'ok    ' : 'FAILED'} ${file} (${seconds} s)${signal ? `: ${signal}` : ''}`);
}
if (files.length === 0) {
  results.push('FAILED there is no such benchmark in bench/');
  process.exitCode = 1;
}
console.log(`\n${results.join('\n')}`);
