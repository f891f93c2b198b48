/** What runs need to be allowed on a cluster, and whether the kubeconfig's user, as whom they act, may do it. */
import { RefusedError } from '../base/errors.ts';
import { faultRights } from '../chaos/faults/index.ts';
import type { Right } from '../chaos/rights.ts';
import { missingRights, questionsOf } from '../targets/kind/missing-rights.ts';
import type { RunRights, Target } from '../targets/target.ts';
import type { PlanOptions, Prepared } from './prepare.ts';

export type Planned = Pick<Prepared, 'target' | 'abilities' | 'scenarios'>;

/** Of the faults of all scenarios together. */
export function rightsOfFaults({ scenarios, abilities }: Planned): { faults: number; rights: Right[] } {
  const faults = scenarios.flatMap(({ makePlan }) => makePlan(new Date()).faults);
  return { faults: faults.length, rights: faultRights(faults, abilities) };
}

/** Of the whole runs. @throws RefusedError when the target is no cluster */
export function rightsOfRuns(options: PlanOptions, planned: Planned): RunRights {
  const whole = planned.target.runRights?.(rightsOfFaults(planned).rights, options.loadPods > 0);
  if (whole === undefined) throw noCluster(planned.target);
  return whole;
}

export const noCluster = ({ name }: Target) =>
  new RefusedError([
    {
      file: '--target',
      message: `target ${name} is no cluster, and needs no rights: expected kind or cluster`,
    },
  ]);

/**
 * Asked before anything is started: a fault that can not be undone, or a platform that comes up by half, would be the price of
 * finding out later. On a target that is no cluster there is nothing to ask.
 * @returns how many questions were asked
 * @throws RefusedError with each right that is missing, and what gives it
 * @throws HarnessError when the cluster gives no answer
 */
export async function refuseMissingRights(options: PlanOptions, planned: Planned): Promise<number> {
  const way = planned.target.way?.();
  if (way === undefined) return 0;
  const { rights } = rightsOfRuns(options, planned);
  const missing = await missingRights(rights, way);
  if (missing.length === 0) return questionsOf(rights).length;
  const where =
    options.cluster === undefined
      ? { file: `--target ${planned.target.name}` }
      : { file: options.cluster, field: 'spec.context' };
  throw new RefusedError([
    ...missing.map((right) => ({ ...where, message: `its user may not ${right}` })),
    {
      file: 'Next',
      message: `\`${rightsCommandLine(options)}\` prints the objects that give a ServiceAccount all that these runs need; for another user, put that among their subjects`,
    },
  ]);
}

/** As it would be typed, with all that decides whether there is a plan, and what is in it. */
function rightsCommandLine(options: PlanOptions): string {
  const { scenarios, target, cluster, platform, profile, guardrails, timeScale, loadScale, loadPods } =
    options;
  const given = Object.entries({
    ...{ target, cluster, platform, profile, guardrails },
    ...{ 'time-scale': timeScale, 'load-pods': loadPods || undefined },
  }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));
  const scaled = loadScale.flatMap((scale) => ['--load-scale', scale]);
  const whom = ['--whole-run', '--account', 'NAMESPACE/NAME'];
  return ['faultline', 'rights', ...scenarios, ...given, ...scaled, ...whom]
    .map((word) => (/^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
