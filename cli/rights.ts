import { stringify } from 'yaml';
import type { CommandModule } from 'yargs';
import { RefusedError } from '../base/errors.ts';
import { faultRights } from '../chaos/faults/index.ts';
import { rightsManifests } from '../chaos/rights.ts';
import { missingRights } from '../targets/kind/missing-rights.ts';
import { type PlanOptions, planOptions, prepare } from './prepare.ts';

interface RightsOptions extends PlanOptions {
  account: string;
  check: boolean;
}

export const rightsCommand: CommandModule<object, RightsOptions> = {
  command: 'rights <scenarios..>',
  describe:
    'Print the RBAC objects that give just what the faults of these scenarios need, or check who lacks what',
  builder: (y) =>
    planOptions(y)
      .option('account', {
        type: 'string',
        default: 'knative-lambda/faultline-faults',
        describe: 'Who acts: namespace/name of a ServiceAccount',
      })
      .option('check', {
        type: 'boolean',
        default: false,
        describe: 'Ask the cluster instead what this account lacks; exit 64 when it lacks something',
      }) as never,
  handler: rights,
};

async function rights(options: RightsOptions): Promise<void> {
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(options.account) ?? [];
  if (namespace === undefined || name === undefined)
    throw new RefusedError([
      { file: '--account', message: `expected namespace/name of a ServiceAccount, got "${options.account}"` },
    ]);
  const prepared = await prepare(options);
  const way = prepared.target.way?.();
  if (way === undefined)
    throw new RefusedError([
      {
        file: '--target',
        message: `target ${options.target} is no cluster, and needs no rights: expected kind or cluster`,
      },
    ]);
  const faults = prepared.scenarios.flatMap(({ makePlan }) => makePlan(new Date()).faults);
  const needed = faultRights(faults, prepared.abilities);
  if (!options.check) {
    const manifests = rightsManifests(needed, { name, namespace });
    process.stdout.write(manifests.map((manifest) => `---\n${stringify(manifest)}`).join(''));
    return;
  }
  const missing = await missingRights(needed, way, `system:serviceaccount:${namespace}:${name}`);
  if (missing.length > 0)
    throw new RefusedError(missing.map((right) => ({ file: options.account, message: `may not ${right}` })));
  process.stdout.write(`${options.account} may do what ${faults.length} faults need.\n`);
}
