/**
 * The judge: a pure function of a bundle. No clock, no host, no path, no order of threads is in its verdict.
 * Each checker is a pure function of the history, in a file of its own; they do not know of each other, and one that
 * crashes gives `unknown`.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Bundle } from '../../evidence/bundle.ts';
import { Database, type DatabaseOptions } from '../../evidence/duckdb.ts';
import { type Check, VERDICT_VERSION, VerdictDocument } from '../../evidence/verdict.ts';
import { checkAlerts } from './alerts.ts';
import { judgeClaim } from './claim.ts';
import { combine } from './combine.ts';
import { type Checker, Context, type Finding } from './context.ts';
import { coreMetrics } from './core.ts';
import { checkFaults } from './faults.ts';
import { checkHarness } from './harness.ts';
import { checkHonesty } from './honesty.ts';
import { checkLedger } from './ledger.ts';
import { checkLoad } from './load.ts';
import { rounded } from './numbers.ts';
import { checkObjectives } from './objectives.ts';
import { checkRecovery } from './recovery.ts';

const CHECKERS: readonly [name: string, group: Check['group'], checker: Checker][] = [
  ['harness', 'harness', checkHarness],
  ['load', 'load', checkLoad],
  ['faults', 'fault', checkFaults],
  ['objectives', 'objective', checkObjectives],
  ['alerts', 'alert', checkAlerts],
  ['recovery', 'recovery', checkRecovery],
  ['ledger', 'ledger', checkLedger],
  ['honesty', 'telemetry', checkHonesty],
  ['core', 'load', coreMetrics],
];

/**
 * Judges a bundle. Reads it only.
 * @throws EvidenceError when there is no bundle or no valid plan in it; everything else that is wrong is in the verdict
 */
export async function judge(bundleDir: string, options: DatabaseOptions = {}): Promise<VerdictDocument> {
  const bundle = Bundle.open(bundleDir);
  using db = await Database.open(options);
  await db.confine(bundle.dir);
  const context = new Context(bundle, db);
  const findings: Finding[] = [];
  for (const [name, group, checker] of CHECKERS) {
    findings.push(
      await checker(context).catch((error: Error) => crashed(name, group, context.explain(error))),
    );
  }
  const { plan } = bundle;
  const found = findings.flatMap((f) => f.checks);
  const claim = judgeClaim(plan, found);
  const checks = claim.check ? [...found, claim.check] : found;
  const { run, cutShort } = await runOf(context);
  return VerdictDocument.parse({
    version: VERDICT_VERSION,
    ...combine(checks, cutShort),
    run,
    phases: plan.phases.map(({ name, startMs, endMs }) => ({
      name,
      startMs: rounded(startMs),
      endMs: rounded(endMs),
    })),
    ...(claim.check ? { clauses: claim.clauses } : {}),
    checks,
    objectives: findings.flatMap((f) => f.objectives ?? []),
    alerts: findings.flatMap((f) => f.alerts ?? []),
    faults: findings.flatMap((f) => f.faults ?? []),
    recovery: findings.flatMap((f) => f.recovery ?? []),
    core: findings.flatMap((f) => f.core ?? []),
    ledger: findings.flatMap((f) => f.ledger ?? []),
  });
}

/** The canonical bytes of a verdict: keys in the order of the schema, two spaces, non-integers to 6 significant digits, a newline at the end. */
export function serializeVerdict(verdict: VerdictDocument): string {
  // Parsing puts the keys in the order of the schema.
  const ordered = VerdictDocument.parse(verdict);
  return `${JSON.stringify(ordered, (_key, value: unknown) => (typeof value === 'number' ? rounded(value) : value), 2)}\n`;
}

/** Writes `verdict.json` into the bundle, whole or not at all. */
export function writeVerdict(bundleDir: string, verdict: VerdictDocument): void {
  const file = Bundle.open(bundleDir).path('verdict');
  writeFileSync(`${file}.tmp`, serializeVerdict(verdict));
  renameSync(`${file}.tmp`, file);
}

function crashed(name: string, group: Check['group'], message: string): Finding {
  return {
    checks: [
      {
        id: `${group}/checker-${name}`,
        group,
        title: `Checker ${name}`,
        verdict: 'unknown',
        message,
        informational: false,
        evidence: [],
      },
    ],
  };
}

async function runOf(c: Context): Promise<{ run: VerdictDocument['run']; cutShort: boolean }> {
  const { run, scenario, target, profile } = c.plan;
  const journal = await c.journal().then(
    (entries) => ({ entries, problem: 'the journal has no run.ended: the harness was killed' }),
    (error: Error) => ({ entries: [], problem: c.explain(error) }),
  );
  const end = journal.entries.flatMap((e) => (e.type === 'run.ended' ? [e] : [])).at(-1);
  const told: VerdictDocument['run'] = {
    id: run.id,
    scenario: scenario.name,
    title: scenario.title,
    claim: scenario.claim,
    target: target.name,
    profile: profile.name,
    seed: run.seed,
    timeScale: run.timeScale,
    startedAt: run.startedAt,
    durationMs: rounded(end?.t ?? journal.entries.at(-1)?.t) ?? 0,
    defects: run.defects,
    ...(run.loadScale ? { loadScale: run.loadScale } : {}),
    outcome: end?.outcome ?? 'crashed',
    outcomeReason: end ? (end.reason ?? null) : journal.problem,
  };
  const blameless = end?.outcome === 'aborted' && end.blame === 'evidence';
  return { run: told, cutShort: end?.outcome === 'interrupted' || blameless };
}
