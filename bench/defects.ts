/**
 * Each defect of the reference platform on target `kind`, under the scenario that should find it and at the pace at which the healthy
 * platform passes it (`make e2e`): is it found, and for the right reason. Needs a cluster (make cluster). On `local` the same is part
 * of the tests (test/scenarios.test.ts). Bundles stay in reports/runs. Usage: node bench/defects.ts [defect ...]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerdictDocument } from '../evidence/verdict.ts';
import { optionsOf, PACES } from '../scripts/pace.ts';

const ROOT = join(import.meta.dirname, '..');
const RUNS = join(ROOT, 'reports/runs');

/** Defect, the scenario that should find it, and the check that is the right reason. */
const EXPECTED: [defect: string, scenario: string, reason: RegExp][] = [
  ['metrics-lie', 'invocations-steady', /^telemetry\/invocations-failed$/],
  ['forgets-scale-to-zero', 'scale-from-zero-under-partition', /^objective\/scale-to-zero\//],
  ['ack-before-build', 'dr-builder-oom', /^ledger\/lost$/],
  ['slow-recovery', 'dr-builder-oom', /^recovery\/builds-back$/],
  ['receiver-accepts-without-confirm', 'builds-rabbitmq-partition', /^ledger\/lost$/],
  ['no-registry-retry', 'kaniko-throttled', /^objective\/build-success\//],
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !EXPECTED.some(([defect]) => defect === name));
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: expected some of ${EXPECTED.map(([defect]) => defect).join(', ')}`);
  process.exit(64);
}

mkdirSync(RUNS, { recursive: true });
const rows: Record<string, unknown>[] = [];
for (const [defect, scenario, reason] of EXPECTED) {
  if (asked.length > 0 && !asked.includes(defect)) continue;
  const pace = PACES.get(scenario);
  if (!pace) throw new Error(`scripts/pace.ts has no pace for ${scenario}`);
  const out = mkdtempSync(join(RUNS, `defect-${defect}-`));
  const begun = performance.now();
  const { status } = spawnSync(
    join(ROOT, 'bin/faultline'),
    ['run', scenario, '--defect', defect, ...optionsOf(pace), '--out', out],
    { stdio: 'inherit' },
  );
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
  const [bundle] = readdirSync(out, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const { verdict, checks } = bundle
    ? (JSON.parse(readFileSync(join(out, bundle.name, 'verdict.json'), 'utf8')) as VerdictDocument)
    : { verdict: `none, exit code ${status}`, checks: [] };
  const failed = checks.filter((check) => check.verdict === 'fail' && !check.informational);
  const right = failed.filter(({ id }) => reason.test(id));
  const found = status === 1 && right.length > 0;
  rows.push({
    defect,
    scenario,
    verdict,
    found: found ? right.map(({ id }) => id).join(', ') : 'NOT FOUND',
    'failed besides': failed
      .filter((check) => !right.includes(check))
      .map(({ id }) => id)
      .join(', '),
    minutes,
  });
  if (!found) process.exitCode = 1;
}
console.table(rows);
