/**
 * The shipped scenarios again and again on the healthy reference platform: every run must pass. A judge that raises false alarms
 * is found here. On `kind` (make cluster) they are those of `make e2e`. Usage: node bench/soak.ts [rounds] [local|kind]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shippedScenarios } from '../engine/catalog.ts';
import type { VerdictDocument } from '../evidence/verdict.ts';
import { choose, runsOf } from '../scripts/pace.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [, , wanted = '10', target = 'local'] = process.argv;
const rounds = Number(wanted);
if (!(Number.isInteger(rounds) && rounds > 0) || !['local', 'kind'].includes(target)) {
  console.error(`soak: expected a number of rounds and local or kind, got ${wanted} ${target}`);
  process.exit(64);
}
const runs = target === 'kind' ? runsOf(choose('').chosen) : [[...shippedScenarios().keys()]];
const out = mkdtempSync(join(tmpdir(), 'faultline-soak-'));
let failed = 0;
for (let round = 1; round <= rounds; round++) {
  const began = performance.now();
  const directory = join(out, String(round));
  const codes = runs.map(
    (args) =>
      spawnSync(join(ROOT, 'bin/faultline'), ['run', ...args, '--out', directory, '--seed', String(round)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }).status,
  );
  const verdicts = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(
      (entry) =>
        JSON.parse(readFileSync(join(directory, entry.name, 'verdict.json'), 'utf8')) as VerdictDocument,
    );
  const bad = verdicts.filter((v) => v.verdict !== 'pass');
  if (codes.some((code) => code !== 0) || bad.length > 0) failed++;
  console.log(
    `round ${round}: exit ${codes.join(', ')}, ${verdicts.length} scenarios in ${((performance.now() - began) / 1000).toFixed(0)} s${bad.map((v) => `\n  ${v.run.scenario} ${v.verdict}: ${v.reasons.join('\n    ')}`).join('')}`,
  );
}
console.log(`${rounds} rounds: ${failed === 0 ? 'all passed' : `${failed} NOT passed`}; bundles in ${out}`);
process.exitCode = failed === 0 ? 0 : 1;
