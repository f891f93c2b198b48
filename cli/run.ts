import { join, relative } from 'node:path';
import type { CommandModule } from 'yargs';
import { RefusedError } from '../base/errors.ts';
import { faultRights } from '../chaos/faults/index.ts';
import { frozen } from '../chaos/guardrails/guard.ts';
import { takeForced } from '../chaos/undo/operations.ts';
import { Run } from '../engine/run.ts';
import { makeRunDirectories } from '../engine/run-directories.ts';
import { EXIT_CODE, type VerdictDocument } from '../evidence/verdict.ts';
import { renderVerdictTable, SIGN, writeIndex, writeReports } from '../reports/index.ts';
import { judge, writeVerdict } from '../slo/judge/index.ts';
import { resolveTool } from '../tools/resolve.ts';
import { reportError } from './exit.ts';
import { LiveView } from './live.ts';
import { type PlanOptions, planOptions, prepare } from './prepare.ts';
import { checkSources, type SourceOptions, sourceOptions } from './sources.ts';
import { refuseMissingRights } from './user-rights.ts';

interface RunOptions extends PlanOptions, SourceOptions {
  out: string;
  debug: boolean;
}

/** What asks a run to end. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ECHO_MS = 1000;

/** The worst verdict of several runs decides the exit code: a harness error hides more than a failed run says. */
const WORST_FIRST = ['error', 'fail', 'unknown', 'pass'] as const;

export const runCommand: CommandModule<object, RunOptions> = {
  command: 'run <scenarios..>',
  describe: 'Bring the target up, load it, break it, judge it and report, for each scenario',
  builder: (y) =>
    sourceOptions(planOptions(y)).option('out', {
      type: 'string',
      requiresArg: true,
      default: 'reports/runs',
      describe: 'Directory in which each run gets its bundle',
    }) as never,
  handler: run,
};

async function run(options: RunOptions): Promise<void> {
  const prepared = await prepare(options);
  const evidence = checkSources(options, prepared.profile);
  const why = frozen(prepared.guardrails);
  if (why !== undefined) throw new RefusedError([{ file: 'frozen', message: why }]);
  await refuseMissingRights(options, prepared);
  const k6Path = (await resolveTool('k6')).path;
  const verdicts: { verdict: VerdictDocument; bundle: string }[] = [];
  let interrupted = false;
  let harnessFailed = false;
  const failed = (error: unknown) => {
    harnessFailed = true;
    reportError(error, { debug: options.debug });
  };

  for (const [i, scenario] of prepared.scenarios.entries()) {
    try {
      const plan = scenario.makePlan(new Date());
      const directories = makeRunDirectories(options.out, plan.run.id);
      say(`\n[${i + 1}/${prepared.scenarios.length}] ${plan.scenario.name}: ${plan.scenario.title}`);
      const view = new LiveView(plan, process.stdout);
      const current = new Run({
        plan,
        scenario: scenario.file.value,
        target: prepared.target,
        directories,
        rules: prepared.loaded.rules,
        queries: prepared.loaded.queries,
        k6Path,
        ...evidence,
        guardrails: prepared.guardrails,
        rights: faultRights(plan.faults, prepared.abilities),
        onEntry: (entry) => view.entry(entry),
        onLive: (live, alerts) => view.load(live, alerts),
      });
      let heardMs = 0;
      const onSignal = (signal: NodeJS.Signals) => {
        // Who ends a whole group, and what hands signals on in it, say the same twice; a person presses Ctrl-C again.
        const echo = signal !== 'SIGINT' && performance.now() - heardMs < ECHO_MS;
        heardMs = performance.now();
        if (interrupted && echo) return;
        if (interrupted) {
          say('\nUndoing everything at once.');
          void current
            .undoNow()
            .then((failures) => {
              for (const said of takeForced()) say(`forced: ${said}`);
              if (failures.length > 0)
                say(`could not be undone: ${failures.join('; ')}\nMend that, then run \`faultline clean\`.`);
            })
            .finally(() => process.exit(130));
          return;
        }
        interrupted = true;
        say(
          '\nStopping: the load ends, faults are reverted, and what there is will be judged. Once more: undo at once.',
        );
        current.interrupt();
      };
      for (const signal of SIGNALS) process.on(signal, onSignal);
      try {
        await current.execute();
      } finally {
        for (const signal of SIGNALS) process.off(signal, onSignal);
        view.end();
      }
      const verdict = await judge(directories.bundle);
      writeVerdict(directories.bundle, verdict);
      verdicts.push({ verdict, bundle: directories.bundle });
      say(`  ${verdict.verdict.toUpperCase()}${verdict.reasons[0] ? `: ${verdict.reasons[0]}` : ''}`);
      for (const clause of verdict.clauses ?? []) say(`    ${SIGN[clause.verdict]} ${clause.says}`);
      try {
        const written = await writeReports(directories.bundle);
        say(`  report: ${relative(process.cwd(), written.html ?? directories.bundle)}`);
      } catch (error) {
        // The verdict stands without its pages, but nobody shall take this run for a clean one.
        failed(error);
        say(
          `  the report could not be written; the verdict is in ${relative(process.cwd(), directories.bundle)}`,
        );
      }
      if (interrupted) break;
      if (current.frozenBecause !== undefined) {
        say(`  frozen: no other scenario is run (${current.frozenBecause})`);
        break;
      }
    } catch (error) {
      // Nothing was begun yet: the refusal says enough.
      if (verdicts.length === 0 && error instanceof RefusedError) throw error;
      // The verdicts that there are do not go with it.
      failed(error);
      break;
    }
  }

  if (verdicts.length > 0) say(`\n${renderVerdictTable(verdicts.map((v) => v.verdict))}`);
  if (verdicts.length > 1) {
    const index = join(options.out, 'index.html');
    await writeIndex(
      verdicts.map((v) => v.bundle),
      index,
    ).then((written) => say(`All reports: ${relative(process.cwd(), written)}`), failed);
  }
  const worst = harnessFailed
    ? 'error'
    : (WORST_FIRST.find((v) => verdicts.some(({ verdict }) => verdict.verdict === v)) ?? 'error');
  process.exitCode = interrupted ? 130 : EXIT_CODE[worst];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
