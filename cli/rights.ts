import { stringify } from 'yaml';
import type { CommandModule } from 'yargs';
import { RefusedError } from '../base/errors.ts';
import { rightsManifests, type Subject } from '../chaos/rights.ts';
import { missingRights } from '../targets/kind/missing-rights.ts';
import { beforehand } from '../targets/kind/run-rights.ts';
import { type PlanOptions, planOptions, prepare } from './prepare.ts';
import { noCluster, type Planned, refuseMissingRights, rightsOfFaults, rightsOfRuns } from './user-rights.ts';

export interface RightsOptions extends PlanOptions {
  account: string | undefined;
  check: boolean;
  wholeRun: boolean;
}

const DEFAULT_ACCOUNT = 'knative-lambda/faultline-faults';

export const rightsCommand: CommandModule<object, RightsOptions> = {
  command: 'rights <scenarios..>',
  describe:
    'Print the RBAC objects that give just what the faults of these scenarios need, or check who lacks what',
  builder: (y) =>
    planOptions(y)
      .option('account', {
        type: 'string',
        requiresArg: true,
        describe: `Whom they give it to, or who is asked about: namespace/name of a ServiceAccount; default: ${DEFAULT_ACCOUNT}, and with --check the kubeconfig's own user, as whom runs act`,
      })
      .option('check', {
        type: 'boolean',
        default: false,
        describe:
          "Ask the cluster instead what is lacking, exit 64 when something is: to the kubeconfig's own user for whole runs, to --account for their faults",
      })
      .option('whole-run', {
        type: 'boolean',
        default: false,
        describe:
          "All that the kubeconfig's user of a run needs: to deploy, watch and undo besides the faults",
      }) as never,
  async handler(options) {
    const subject = subjectOf(options.account ?? DEFAULT_ACCOUNT);
    process.stdout.write(await answer(options, subject, await prepare(options)));
  },
};

/** @throws RefusedError when it is no namespace/name */
export function subjectOf(account: string): Subject {
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(account) ?? [];
  if (namespace === undefined || name === undefined)
    throw new RefusedError([
      { file: '--account', message: `expected namespace/name of a ServiceAccount, got "${account}"` },
    ]);
  return { name, namespace };
}

/** @returns what is to be printed @throws RefusedError with what is lacking, or when there is no cluster */
export async function answer(options: RightsOptions, subject: Subject, planned: Planned): Promise<string> {
  const way = planned.target.way?.();
  if (way === undefined) throw noCluster(planned.target);
  const { check, wholeRun, account } = options;
  if (check && account === undefined) {
    const asked = await refuseMissingRights(options, planned);
    return `The kubeconfig's user may do what these runs need: ${asked} questions, no "no".\n`;
  }
  const { faults, rights } = rightsOfFaults(planned);
  if (check) {
    const needed = wholeRun ? rightsOfRuns(options, planned).rights : rights;
    const user = `system:serviceaccount:${subject.namespace}:${subject.name}`;
    const missing = await missingRights(needed, way, user);
    if (missing.length > 0)
      throw new RefusedError(
        missing.map((right) => ({ file: account as string, message: `may not ${right}` })),
      );
    return `${account} may do what ${wholeRun ? 'whole runs' : `${faults} faults`} need.\n`;
  }
  const given = wholeRun ? beforehand(rightsOfRuns(options, planned)) : rights;
  return rightsManifests(given, subject)
    .map((manifest) => `---\n${stringify(manifest)}`)
    .join('');
}
