/** Target `cluster`: a cluster that exists, with the reference platform or the user's own deployed to it for the time of a run. */
import { type Diagnostic, RefusedError } from '../../base/errors.ts';
import { Kubernetes } from '../../kind/kubernetes.ts';
import type { Place } from '../kind/place.ts';
import { keepsVolumes, type StorageClasses, surroundings } from '../kind/surroundings.ts';
import type { Target } from '../target.ts';

/** What must be there before, with what it is for. */
const KINDS = {
  'serving.knative.dev/v1/Service': 'Knative Serving, on which functions run',
  'chaos-mesh.org/v1alpha1/NetworkChaos': 'Chaos Mesh, by which faults act',
};

/**
 * @param file the cluster's description
 * @param target what is deployed to it
 * @param claims whether that claims volumes of the cluster's default class
 */
export function onExistingCluster(file: string, find: () => Place, target: Target, claims: boolean): Target {
  return {
    ...target,
    async abilities() {
      const problems = await clusterProblems(file, find(), claims);
      if (problems.length > 0) throw new RefusedError(problems);
      return target.abilities();
    },
  };
}

/** What the cluster lacks of what every run on it needs. */
export async function clusterProblems(file: string, place: Place, claims: boolean): Promise<Diagnostic[]> {
  const { kinds, storage, registryProblem, imageProblem } = await surroundings(
    new Kubernetes(place.way),
    place.registry,
  );
  const missing = Object.entries(KINDS).flatMap(([kind, what]) =>
    kinds.has(kind)
      ? []
      : [{ file, field: 'spec.context', message: `the cluster does not have ${kind}: ${what}` }],
  );
  const volumes = claims ? volumeProblem(storage) : undefined;
  if (volumes !== undefined) missing.push({ file, field: 'spec.context', message: volumes });
  const registry = await registryProblem(place.registry.inside);
  if (registry !== undefined)
    return [
      ...missing,
      { file, field: 'spec.registry.here', message: `${place.registry.here}: ${registry}` },
    ];
  const images = await Promise.all(
    Object.entries(place.images).map(async ([name, image]) => {
      const problem = await imageProblem(image);
      return problem === undefined
        ? []
        : [{ file, field: `spec.images.${name}`, message: `${image}: ${problem}` }];
    }),
  );
  return [...missing, ...images.flat()];
}

/** Why broker and object store should not claim volumes; undefined: they can, or nobody may know. */
export function volumeProblem(storage: StorageClasses): string | undefined {
  if (storage === undefined) return undefined;
  const { byDefault, keeping } = storage;
  if (byDefault === undefined)
    return 'the cluster has no default StorageClass: the volumes of broker and object store are claimed of it';
  return keeping?.has(byDefault)
    ? `${keepsVolumes(byDefault)} as the cluster's default, of which broker and object store claim theirs`
    : undefined;
}
