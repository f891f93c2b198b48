/**
 * The shipped scenarios again and again on the healthy reference platform: every run must pass. A judge that raises false alarms
 * is found here. On `kind` (make cluster) they are those of `make e2e`. Usage: node bench/soak.ts [rounds] [local|kind]
 * Rounds of the same code add up (soak-row.ts), in `bench/soak.ndjson`: how many passed in a row is said at the end. Commit that file, failed
 * rounds and all: those of other days and machines go on from there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shippedScenarios } from '../engine/catalog.ts';
import type { VerdictDocument } from '../evidence/verdict.ts';
import { choose, INTERRUPTED, runsOf } from '../scripts/pace.ts';
import { codeKey, isPassed, passedInARow, recordedRounds, recordRound } from './soak-row.ts';

/** Exit code of a plan or a usage that was refused: nothing was run. */
const REFUSED = 64;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [, , wanted = '10', target = 'local'] = process.argv;
const rounds = Number(wanted);
if (!(Number.isInteger(rounds) && rounds > 0) || !['local', 'kind'].includes(target)) {
  console.error(`soak: expected a number of rounds and local or kind, got ${wanted} ${target}`);
  process.exit(64);
}
const scenarios = target === 'kind' ? choose('').chosen : [...shippedScenarios().keys()];
const runs = target === 'kind' ? runsOf(scenarios) : [scenarios];
const out = mkdtempSync(join(tmpdir(), 'faultline-soak-'));
const record = join(ROOT, 'bench/soak.ndjson');
const code = codeKey(ROOT);
if (code === undefined)
  console.log('not as git has it: these rounds count for no row that others are added to');
let failed = 0;
for (let round = 1; round <= rounds; round++) {
  const began = performance.now();
  const beganAt = new Date().toISOString();
  // Anew in each row: the same load twice would find the same.
  const seed = code === undefined ? round : recordedRounds(record).length + 1;
  const directory = join(out, String(round));
  const codes = runs.map(
    (args) =>
      spawnSync(join(ROOT, 'bin/faultline'), ['run', ...args, '--out', directory, '--seed', String(seed)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }).status ?? INTERRUPTED,
  );
  // Says nothing about the platform, so it is on no record.
  for (const none of [INTERRUPTED, REFUSED]) if (codes.includes(none)) process.exit(none);
  const verdicts = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => existsSync(join(directory, entry.name, 'verdict.json')))
    .map(
      (entry) =>
        JSON.parse(readFileSync(join(directory, entry.name, 'verdict.json'), 'utf8')) as VerdictDocument,
    );
  const bad = verdicts.filter((v) => v.verdict !== 'pass');
  const said = verdicts.map(({ verdict }) => verdict);
  const passed = isPassed(codes, said, scenarios.length);
  if (!passed) failed++;
  const seconds = Math.round((performance.now() - began) / 1000);
  // One that was changed under way is no round of either code.
  if (code !== undefined && codeKey(ROOT) === code)
    recordRound(record, { code, target, began: beganAt, seconds, scenarios: verdicts.length, passed });
  console.log(
    `round ${round}: exit ${codes.join(', ')}, ${verdicts.length} of ${scenarios.length} scenarios in ${seconds} s${bad.map((v) => `\n  ${v.run.scenario} ${v.verdict}: ${v.reasons.join('\n    ')}`).join('')}`,
  );
}
console.log(`${rounds} rounds: ${failed === 0 ? 'all passed' : `${failed} NOT passed`}; bundles in ${out}`);
if (code !== undefined)
  console.log(
    `code ${code} on ${target}: ${passedInARow(recordedRounds(record), code, target)} rounds in a row passed, by ${record}`,
  );
process.exitCode = failed === 0 ? 0 : 1;
