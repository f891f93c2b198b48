/**
 * All checks and tests, one step after the other, each with its time and a time-out; a step that fails does not keep the
 * others from running. Exit 1 when a step or a test failed, or when no test ran.
 *
 * `--checks-only`: types, lint and borders. With FAULTLINE_COUNTS=FILE, the counts are also written there, as one line.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { exec } from '../tools/exec.ts';
import { addCounts, type Counts, countTests, formatCounts } from './count-tests.ts';
import { kindBudget, minutesGone, missingCommands } from './kind-budget.ts';

const project = resolve(import.meta.dirname, '..');
const bin = join(project, 'node_modules', '.bin');
const reports = join(project, 'node_modules', '.cache', 'faultline');
const env: NodeJS.ProcessEnv = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());

interface Step {
  name: string;
  command: string[];
  /** All of them together stay well inside CI's 90 minutes. */
  minutes: number;
  /** Vitest's JSON report: its tests are counted one by one. */
  report?: string;
}

function vitest(name: string, minutes: number): Step {
  const report = join(reports, `${name}.json`);
  const command = ['vitest', 'run', '--project', name, '--passWithNoTests', `--outputFile.json=${report}`];
  return { name: `${name} tests`, command, minutes, report };
}

const checks: Step[] = [
  { name: 'types', command: ['tsc', '--noEmit'], minutes: 4 },
  ...(existsSync(join(project, 'scenarios/k6/tsconfig.json'))
    ? [{ name: 'types of the k6 scripts', command: ['tsc', '--noEmit', '-p', 'scenarios/k6'], minutes: 4 }]
    : []),
  { name: 'lint', command: ['biome', 'ci', '--colors=off', '.'], minutes: 2 },
  { name: 'borders', command: ['node', 'scripts/borders.ts'], minutes: 2 },
];
const tests: Step[] = [vitest('unit', 12), vitest('blackbox', 40)];
/** CI only: `make e2e` is for those who are at work. */
const ENGINE_WITHIN_MS = 5 * 60_000;
const CI_MINUTES = Number(process.env.CI_MINUTES || 60);

async function run(step: Step): Promise<{ ok: boolean; counts: Counts; summary: string }> {
  const [command, ...args] = step.command as [string, ...string[]];
  console.log(`── ${step.name}`);
  if (step.report) rmSync(step.report, { force: true });
  const begin = performance.now();
  const { code, failure } = await exec(join(bin, command), args, {
    env,
    cwd: project,
    timeoutMs: step.minutes * 60_000,
    signal: abort.signal,
    onOutput: (text) => process.stdout.write(text),
  });
  const ok = code === 0;
  const counts = step.report ? countTests(step.report, code) : { passed: 0, failed: ok ? 0 : 1, skipped: 0 };
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const detail = step.report ? `, ${formatCounts(counts)}` : '';
  const why = failure ? `: ${failure}` : '';
  return { ok, counts, summary: `${ok ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s${detail})${why}` };
}

mkdirSync(reports, { recursive: true });
const began = performance.now();
const checksOnly = process.argv.includes('--checks-only');
const summaries: string[] = [];
let total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const step of checksOnly ? checks : [...checks, ...tests]) {
  if (abort.signal.aborted) break;
  const { counts, summary } = await run(step);
  total = addCounts(total, counts);
  summaries.push(summary);
}
if (!checksOnly && process.env.CI && !abort.signal.aborted) {
  const here = (performance.now() - began) / 60_000;
  const minutes = { gone: minutesGone(process.env, Date.now(), here), limit: CI_MINUTES };
  let budget = kindBudget(minutes, missingCommands());
  if (budget.run) {
    const engine = await exec('make', ['engine'], { env, cwd: project, timeoutMs: ENGINE_WITHIN_MS });
    const why = engine.output.trim().split('\n').at(-1);
    if (engine.code !== 0)
      budget = { run: false, because: `the kind cluster is NOT tried: no container engine: ${why}` };
  }
  console.log(budget.because);
  env.FAULTLINE_KIND = budget.run ? 'yes' : 'no';
  const { counts, summary } = await run(vitest('kind', Math.max(1, minutes.limit - minutes.gone)));
  total = addCounts(total, counts);
  summaries.push(summary, budget.because);
}
if (!checksOnly && total.passed + total.failed === 0) {
  summaries.push('FAILED no test ran');
  total.failed++;
}
console.log(`\n${summaries.join('\n')}`);
if (process.env.FAULTLINE_COUNTS) writeFileSync(process.env.FAULTLINE_COUNTS, `${formatCounts(total)}\n`);
process.exitCode = abort.signal.aborted ? 130 : total.failed > 0 ? 1 : 0;
