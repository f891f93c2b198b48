/** What `plan` and `run` share: options -> target, catalog and a plan for each scenario, or a refusal with all problems at once. */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import type { Abilities } from '../chaos/fault.ts';
import { type Guardrails, loadGuardrails } from '../chaos/guardrails/file.ts';
import { type LoadedCatalog, loadCatalog, shippedScenarios } from '../engine/catalog.ts';
import { newRunId } from '../engine/run-directories.ts';
import type { Plan } from '../evidence/plan.ts';
import { loadScenarios, type ScenarioFile } from '../scenarios/load.ts';
import { makePlan } from '../scenarios/plan.ts';
import { chooseTarget, TARGET_NAMES, type TargetChoice } from '../targets/index.ts';
import { loadProfile, type Profile } from '../targets/profile.ts';
import type { Target } from '../targets/target.ts';
import { resolveTool } from '../tools/resolve.ts';
import { loadScale, timeScaleProblems } from './scales.ts';

export interface TargetOptions {
  target: string;
  profile: string;
  platform: string | undefined;
  cluster: string | undefined;
  guardrails: string | undefined;
  timeScale: number | undefined;
  defect: string[];
}

export interface PlanOptions extends TargetOptions {
  scenarios: string[];
  seed: number | undefined;
  loadScale: string[];
  loadPods: number;
}

const PROCESSES_TIME_SCALE = 60;
/** A pod starts, an image is built and a node is given up in as long as ever, however fast the phases go. */
const CLUSTER_TIME_SCALE = 10;

export function targetOptions<T>(y: Argv<T>): Argv<T & TargetOptions> {
  return y
    .option('target', {
      type: 'string',
      requiresArg: true,
      default: 'local',
      describe: `Where it runs: ${TARGET_NAMES.join(', ')}`,
    })
    .option('profile', {
      type: 'string',
      requiresArg: true,
      default: 'reference',
      describe: 'Platform profile: a name in targets/profiles, or a file',
    })
    .option('platform', {
      type: 'string',
      requiresArg: true,
      describe:
        'Directory of your own platform: a kustomize base or manifests; with its --profile, on targets kind and cluster',
    })
    .option('cluster', {
      type: 'string',
      requiresArg: true,
      describe: 'With target cluster: the file that describes your cluster',
    })
    .option('guardrails', {
      type: 'string',
      requiresArg: true,
      describe:
        'File that says what faults may touch; default: FAULTLINE_GUARDRAILS, ~/.config/faultline/guardrails.yaml',
    })
    .option('time-scale', {
      type: 'number',
      requiresArg: true,
      describe: `Divide rule durations, intervals and phases by this; 1 is real time; default: ${PROCESSES_TIME_SCALE} on target local, ${CLUSTER_TIME_SCALE} on others`,
    })
    .option('defect', {
      type: 'string',
      requiresArg: true,
      array: true,
      default: [] as string[],
      describe: 'Switch a known defect of the reference platform on, to see it found',
    }) as unknown as Argv<T & TargetOptions>;
}

export function planOptions<T>(y: Argv<T>): Argv<T & PlanOptions> {
  return targetOptions(y)
    .positional('scenarios', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Scenario files, or names of shipped scenarios',
    })
    .option('seed', {
      type: 'number',
      requiresArg: true,
      describe: 'Seed of everything random in the load; the report names it',
    })
    .option('load-pods', {
      type: 'number',
      requiresArg: true,
      default: 0,
      describe:
        'On a cluster: run the load in so many pods of it, each with an equal share; 0: on this machine',
    })
    .option('load-scale', {
      type: 'string',
      requiresArg: true,
      array: true,
      default: [] as string[],
      describe:
        'Multiply the rates of the load, for a smaller or larger platform: builds=0.05, or a number for all streams',
    }) as unknown as Argv<T & PlanOptions>;
}

const MOST_LOAD_PODS = 100;

export interface Prepared {
  target: Target;
  profile: Profile;
  guardrails: Guardrails;
  abilities: Abilities;
  loaded: LoadedCatalog;
  scenarios: { file: ScenarioFile; makePlan(startedAt: Date): Plan }[];
}

/** @throws RefusedError with every problem of the options and of all scenarios; nothing was started. */
export async function prepare(options: PlanOptions): Promise<Prepared> {
  const { target, profile, guardrails, seed, timeScale } = checkOptions(options);
  const files = loadScenarios(options.scenarios.map(scenarioFile));
  const abilities = await target.abilities();
  const loaded = loadCatalog({
    profile,
    timeScale,
    abilities,
    rules: target.rules?.() ?? [],
  });
  const facts = {
    seed,
    timeScale,
    defects: options.defect,
    loadScale: loadScale('--load-scale', options.loadScale, files),
    targetDetail: await target.detail(),
    versions: await versions(target),
    host: host(),
    ...generator(options.loadPods, abilities, profile),
  };
  const problems: Diagnostic[] = [];
  const scenarios = files.map((file) => {
    const make = (startedAt: Date) =>
      makePlan(file, loaded.catalog, {
        ...facts,
        id: newRunId(file.value.metadata.name, startedAt, Math.random()),
        startedAt: startedAt.toISOString(),
      });
    try {
      make(new Date());
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      problems.push(...error.diagnostics);
    }
    return { file, makePlan: make };
  });
  if (problems.length > 0) throw new RefusedError(problems);
  return { target, profile, guardrails, abilities, loaded, scenarios };
}

export function checkOptions(options: TargetOptions & { seed?: number | undefined }): {
  target: Target;
  profile: Profile;
  guardrails: Guardrails;
  seed: number;
  timeScale: number;
} {
  const profile = loadProfile(options.profile);
  const guardrails = loadGuardrails(options.guardrails);
  const target = chooseTarget({ ...chosen(options), profile, guardrails });
  const timeScale =
    options.timeScale ?? (target.name === 'local' ? PROCESSES_TIME_SCALE : CLUSTER_TIME_SCALE);
  const problems = timeScaleProblems('--time-scale', timeScale);
  const seed = options.seed ?? randomInt(2 ** 31);
  if (!Number.isSafeInteger(seed) || seed < 0)
    problems.push({ file: '--seed', message: `expected a whole number of at least 0, got ${options.seed}` });
  for (const defect of options.defect) {
    if (!target.defects.includes(defect))
      problems.push({
        file: '--defect',
        message: `${options.platform === undefined ? `target ${target.name}` : options.platform} has no defect "${defect}": expected one of ${target.defects.join(', ') || '(none)'}`,
      });
  }
  if (problems.length > 0) throw new RefusedError(problems);
  return { target, profile, guardrails, seed, timeScale };
}

/** What of a target is named on the command line. */
function chosen({ target, platform, cluster }: TargetOptions): Omit<TargetChoice, 'profile' | 'guardrails'> {
  return {
    name: target,
    ...(platform === undefined ? {} : { platform }),
    ...(cluster === undefined ? {} : { cluster }),
  };
}

/** Where k6 runs, and how many cores it shares with what is under test. */
function generator(
  loadPods: number,
  { target, cluster }: Abilities,
  { speaks, name }: Profile,
): { loadPods: number; sharedCores: number } {
  const refuse = (message: string): never => {
    throw new RefusedError([{ file: '--load-pods', message }]);
  };
  if (!Number.isInteger(loadPods) || loadPods < 0 || loadPods > MOST_LOAD_PODS)
    refuse(`expected a whole number from 0 to ${MOST_LOAD_PODS}, got ${loadPods}`);
  if (loadPods === 0) return { loadPods, sharedCores: cpus().length };
  if (cluster === undefined) return refuse(`target ${target} has no pods: expected target kind or cluster`);
  if (speaks.by !== 'commands')
    return refuse(
      `functions of profile ${name} are asked for by way of this machine, which pods do not reach`,
    );
  return { loadPods, sharedCores: cluster.cores };
}

function scenarioFile(nameOrFile: string): string {
  if (existsSync(nameOrFile)) return nameOrFile;
  const shipped = new Map(
    (['', 'cluster', 'objects'] as const).flatMap((folder) => [...shippedScenarios(folder)]),
  );
  const file = shipped.get(nameOrFile);
  if (file !== undefined) return file;
  throw new RefusedError([
    {
      file: nameOrFile,
      message: `no such file, and no shipped scenario has that name: expected a path or one of ${[...shipped.keys()].join(', ')}`,
    },
  ]);
}

async function versions(target: Target): Promise<Record<string, string>> {
  return {
    faultline: faultlineVersion(),
    node: process.version,
    k6: (await resolveTool('k6')).version,
    ...(await target.versions()),
  };
}

function faultlineVersion(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string };
  try {
    return `${version}+${execFileSync('git', ['-C', root, 'describe', '--always', '--dirty'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()}`;
  } catch {
    return version;
  }
}

function host(): Record<string, string | number> {
  return { cores: cpus().length, memoryBytes: totalmem(), kernel: release(), platform: process.platform };
}
