/** Which target a run has: by its name, and by whose platform is on it. */
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import type { Guardrails } from '../chaos/guardrails/file.ts';
import { describedPlace, NOT_DESCRIBED } from './cluster/description.ts';
import { onExistingCluster } from './cluster/index.ts';
import { kindTarget } from './kind/index.ts';
import { ownPlatform } from './kind/own/index.ts';
import { kindPlace } from './kind/place.ts';
import { namespaceOf } from './kind/platform.ts';
import { referencePlatform } from './kind/reference.ts';
import { localTarget } from './local/index.ts';
import type { Profile } from './profile.ts';
import type { Target } from './target.ts';

export const TARGET_NAMES = ['local', 'kind', 'cluster'];

/** Every target that needs no description, with the reference platform on it, by name. */
export const TARGETS: ReadonlyMap<string, Target> = new Map(
  [localTarget, kindTarget].map((target) => [target.name, target]),
);

export interface TargetChoice {
  name: string;
  profile: Profile;
  /** Directory of the user's own platform. */
  platform?: string;
  /** The user's description of a cluster that exists. */
  cluster?: string;
  guardrails: Guardrails;
}

/** @throws RefusedError when target, profile, platform and cluster do not go together, or the guardrails do not list the cluster */
export function chooseTarget(choice: TargetChoice): Target {
  const { name, profile, platform, cluster, guardrails } = choice;
  const { speaks } = profile;
  const problems: Diagnostic[] = [];
  if (!TARGET_NAMES.includes(name))
    refuse('--target', `unknown target "${name}": expected one of ${TARGET_NAMES.join(', ')}`);
  if (speaks.by === 'commands' && platform !== undefined)
    refuse(
      '--platform',
      `profile ${profile.name} is of the reference platform, which Faultline deploys itself: expected --profile of your platform, such as knative-lambda-operator`,
    );
  if (speaks.by === 'objects' && platform === undefined)
    refuse(
      '--profile',
      `profile ${profile.name} is of a platform that Faultline does not bring: expected --platform DIR, its kustomize base or manifests`,
    );
  if (speaks.by === 'objects' && name === 'local')
    refuse('--target', `a platform of your own runs on targets kind and cluster: got ${name}`);
  if (name === 'cluster' && cluster === undefined) problems.push(NOT_DESCRIBED);
  if (name !== 'cluster' && cluster !== undefined)
    refuse('--cluster', `describes a cluster for target cluster: got --target ${name}`);
  if (problems.length > 0) throw new RefusedError(problems);

  const find = cluster === undefined ? kindPlace : describedPlace(cluster, guardrails, namespaceOf(profile));
  const where = cluster === undefined ? 'kind' : 'cluster';
  const target =
    speaks.by === 'objects'
      ? ownPlatform(where, find, {
          ...{ profile, speaks, directory: platform as string },
          ...(cluster === undefined ? {} : { guardrails }),
        })
      : (TARGETS.get(name) ?? referencePlatform(where, find));
  return cluster === undefined ? target : onExistingCluster(cluster, find, target, speaks.by === 'commands');

  function refuse(file: string, message: string): void {
    problems.push({ file, message });
  }
}
