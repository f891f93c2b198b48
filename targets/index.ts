/** Which target a run has: by its name, and by whose platform is on it. */
import { RefusedError } from '../base/errors.ts';
import { kindTarget } from './kind/index.ts';
import { ownPlatform } from './kind/own/index.ts';
import { localTarget } from './local/index.ts';
import type { Profile } from './profile.ts';
import type { Target } from './target.ts';

/** Every target with the reference platform on it, by name. */
export const TARGETS: ReadonlyMap<string, Target> = new Map(
  [localTarget, kindTarget].map((target) => [target.name, target]),
);

/**
 * @param platform directory of the user's own platform
 * @throws RefusedError when profile, target and platform do not go together
 */
export function chooseTarget(name: string, profile: Profile, platform: string | undefined): Target {
  const target = TARGETS.get(name);
  const refuse = (file: string, message: string): never => {
    throw new RefusedError([{ file, message }]);
  };
  if (!target)
    return refuse('--target', `unknown target "${name}": expected one of ${[...TARGETS.keys()].join(', ')}`);
  const { speaks } = profile;
  if (speaks.by === 'commands')
    return platform === undefined
      ? target
      : refuse(
          '--platform',
          `profile ${profile.name} is of the reference platform, which Faultline deploys itself: expected --profile of your platform, such as knative-lambda-operator`,
        );
  if (platform === undefined)
    return refuse(
      '--profile',
      `profile ${profile.name} is of a platform that Faultline does not bring: expected --platform DIR, its kustomize base or manifests`,
    );
  if (name !== 'kind') return refuse('--target', `a platform of your own runs on target kind: got ${name}`);
  return ownPlatform(profile, speaks, platform);
}
