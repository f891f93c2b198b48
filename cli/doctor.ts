import type { CommandModule } from 'yargs';
import { loadGuardrails } from '../chaos/guardrails/file.ts';
import { existingFacts } from '../targets/cluster/doctor.ts';
import { TARGET_NAMES } from '../targets/index.ts';
import { type ClusterFact, clusterFacts } from '../targets/kind/doctor.ts';
import { loadProfile } from '../targets/profile.ts';
import { type Finding, findTools } from '../tools/find.ts';
import { thisMachine } from '../tools/machine.ts';
import { type MachineFact, machineFacts } from '../tools/machine-facts.ts';
import { goInstallCommand, neededTools, PINS, TOOL_NAMES, type ToolName } from '../tools/pins.ts';
import { stateOf } from '../tools/plan-install.ts';
import { type InstallStep, installTools } from '../tools/resolve.ts';
import { InterruptedError } from './exit.ts';

interface DoctorOptions {
  json: boolean;
  install: boolean;
  quiet: boolean;
  for: string;
  target: string;
  cluster: string | undefined;
  profile: string;
  guardrails: string | undefined;
}

/** One row of `faultline doctor --json`. */
interface ToolRow {
  name: ToolName;
  use: string;
  need: string;
  /** Whether the purpose that was asked for needs it. */
  needed: boolean;
  found: boolean;
  path?: string;
  version?: string;
  source?: string;
  required: string;
  /** The ways to install it, in the order in which they are tried. */
  install: string[];
  problem?: string;
}

export const doctorCommand: CommandModule<object, DoctorOptions> = {
  command: 'doctor',
  describe:
    'Show the tools that are needed: found, where, version, how to install; with --install, install them',
  builder: (y) =>
    y
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
      .option('install', { type: 'boolean', default: false, describe: 'Install what is missing' })
      .option('quiet', { type: 'boolean', default: false, describe: 'Print nothing when all is there' })
      .option('for', {
        choices: ['run', 'test'],
        requiresArg: true,
        default: 'run',
        describe: 'What the tools are needed for: scenarios, or the project’s own tests as well',
      })
      .option('target', {
        choices: TARGET_NAMES,
        requiresArg: true,
        default: 'local',
        describe:
          'kind: look at the container engine, the cluster and the machine that it needs, too; cluster: at the one that --cluster describes',
      })
      .option('cluster', {
        type: 'string',
        requiresArg: true,
        describe: 'With target cluster: the file that describes it',
      })
      .option('profile', {
        type: 'string',
        requiresArg: true,
        default: 'reference',
        describe: 'With target cluster: of the platform',
      })
      .option('guardrails', {
        type: 'string',
        requiresArg: true,
        describe: 'With target cluster: the file that lists it',
      }) as never,
  handler: doctor,
};

async function doctor(options: DoctorOptions): Promise<void> {
  const machine = thisMachine();
  const needed = neededTools(options.for === 'test' ? 'test' : 'run');
  if (options.install) await install(needed);
  // It has just looked at them, or installed them, and the target has nothing else to look at.
  if (options.quiet && options.install && options.target === 'local') return;

  const [findings, facts, cluster] = await Promise.all([
    findTools(TOOL_NAMES, machine),
    machineFacts(machine),
    factsOf(options),
  ]);
  const rows = findings.map((finding) => rowOf(finding, needed));
  const missing = rows.filter((row) => row.needed && !row.found);
  const ok = missing.length === 0 && cluster.every((fact) => fact.ok);
  if (!ok) process.exitCode = 1;
  if (options.json) {
    const document = { ok, for: options.for, tools: rows, machine: facts, cluster };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  if (options.quiet && ok) return;
  print(rows, facts, missing);
  for (const { name, value, ...fact } of cluster)
    process.stdout.write(`${fact.ok ? '  ' : '! '}${name.padEnd(18)} ${value}\n`);
}

async function factsOf({ target, cluster, profile, guardrails }: DoctorOptions): Promise<ClusterFact[]> {
  if (target === 'kind') return clusterFacts();
  if (target !== 'cluster') return [];
  return existingFacts(cluster, loadProfile(profile), loadGuardrails(guardrails));
}

/** Installs, telling each step on standard error; Ctrl-C ends the steps and leaves a state to go on from. */
async function install(needed: ToolName[]): Promise<void> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  // The steps are in process groups of their own: a terminal that is closed must end them too.
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  try {
    await installTools(needed, tell, { signal: abort.signal });
  } catch (error) {
    if (abort.signal.aborted)
      throw new InterruptedError(
        'Interrupted. What is installed stays: the same command goes on from there.',
      );
    throw error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
  }
}

function tell(step: InstallStep): void {
  const took = step.ms === undefined ? '' : ` (${(step.ms / 1000).toFixed(0)} s)`;
  process.stderr.write(`${step.state.padEnd(7)}  ${step.what}${took}\n`);
}

function rowOf(finding: Finding, needed: readonly ToolName[]): ToolRow {
  const { name, tool } = finding;
  const pin = PINS[name];
  return {
    name,
    use: pin.use,
    need: pin.need,
    needed: needed.includes(name),
    found: tool !== undefined,
    path: tool?.path,
    version: tool?.version,
    source: tool?.source,
    required: `>= ${pin.minimum}`,
    install: [
      ...(pin.apt ? [`apt-get install ${pin.apt}`] : []),
      ...(pin.go ? [goInstallCommand(pin.go)] : []),
      ...(pin.release ? [`its release ${pin.release.version}`] : []),
    ],
    problem: tool === undefined ? stateOf(finding) : undefined,
  };
}

const WHERE: Record<string, string> = {
  path: 'PATH',
  cache: 'Faultline’s cache',
  go: 'Go’s bin',
  apt: 'package',
};

function print(rows: ToolRow[], facts: MachineFact[], missing: ToolRow[]): void {
  const say = (line = '') => process.stdout.write(`${line}\n`);
  const table = rows.map((row) => [
    row.found ? 'ok' : row.needed ? 'MISSING' : 'absent',
    row.name,
    row.version ?? '-',
    row.required,
    row.source ? (WHERE[row.source] ?? row.source) : '-',
    row.path ?? '-',
    row.install.join(', or '),
  ]);
  for (const line of columns([
    ['', 'tool', 'version', 'required', 'found in', 'path', 'installed by'],
    ...table,
  ]))
    say(line);
  say();
  for (const line of columns(facts.map((fact) => [fact.ok ? 'ok' : 'WARNING', fact.name, fact.value])))
    say(line);
  if (missing.length === 0) return;
  say();
  for (const row of missing) say(`${row.name} ${row.problem} (${row.use}).`);
  say('Next: `faultline doctor --install` installs what is missing.');
}

function columns(rows: string[][]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  );
}
