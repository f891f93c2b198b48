/**
 * What the user's own platform lacks on this cluster, with file and field, before anything is applied. Nothing is worked around: what
 * is not there is said, and the run does not begin. General checks need the manifests only; what a platform needs besides is in its
 * profile (`needs`).
 */
import type { Diagnostic } from '../../../base/errors.ts';
import type { Guardrails } from '../../../chaos/guardrails/file.ts';
import type { Manifest } from '../../../kind/kubernetes.ts';
import type { ByObjects, Profile } from '../../profile.ts';
import { isDefaultClass, keepsItsVolumes, keepsVolumes, type Surroundings } from '../surroundings.ts';
import type { OwnObject } from './manifests.ts';

/** Read by the harness instead of an operator that the cluster does not have: rules are loaded, scrapes are the profile's. */
export const READ_HERE = ['PrometheusRule', 'ServiceMonitor', 'PodMonitor'];

interface Container {
  name: string;
  image?: string;
  env?: { name: string; value?: string; valueFrom?: object }[];
  envFrom?: object[];
}
interface PodSpec {
  containers?: Container[];
  initContainers?: Container[];
}

/** Where a kind keeps the pods that it makes. */
const POD_PATHS: Record<string, string> = {
  Pod: 'spec',
  Deployment: 'spec.template.spec',
  StatefulSet: 'spec.template.spec',
  DaemonSet: 'spec.template.spec',
  Job: 'spec.template.spec',
  CronJob: 'spec.jobTemplate.spec.template.spec',
};

/** Where objects may go. */
export interface Bounds {
  /** `apiVersion/Kind` of what the cluster keeps in namespaces. */
  namespaced: ReadonlySet<string>;
  /** On a cluster that is not Faultline's own: who says which namespaces may be touched. */
  guardrails?: Pick<Guardrails, 'file' | 'namespaces'>;
}

/** What is looked at of a profile. */
export type Facts = Pick<Profile, 'needs' | 'components' | 'file'> & { speaks: Pick<ByObjects, 'namespace'> };

/** @returns every problem; none: the platform may be applied */
export async function preflight(
  objects: readonly OwnObject[],
  profile: Facts,
  around: Surroundings,
  bounds: Bounds,
): Promise<Diagnostic[]> {
  return [
    ...kindProblems(objects, around),
    ...namespaceProblems(objects, around),
    ...scopeProblems(objects, around, bounds),
    ...boundsProblems(objects, bounds),
    ...(await imageProblems(objects, around)),
    ...storageProblems(objects, around),
    ...componentProblems(objects, profile),
    ...rightsProblems(objects, profile),
    ...(await environmentProblems(objects, profile, around)),
    ...neededKindProblems(objects, profile.needs, around),
  ];
}

const at = (object: OwnObject, field: string, message: string): Diagnostic => ({
  file: object.file,
  ...(object.line === undefined ? {} : { line: object.line }),
  field: `${nameOf(object.manifest)}: ${field}`,
  message,
});

const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
const kindOf = ({ apiVersion, kind }: Manifest) => `${apiVersion}/${kind}`;

function kindProblems(objects: readonly OwnObject[], around: Surroundings): Diagnostic[] {
  const own = ownKinds(objects);
  return objects.flatMap((object) => {
    const kind = kindOf(object.manifest);
    if (around.kinds.has(kind) || own.has(kind) || READ_HERE.includes(object.manifest.kind)) return [];
    return [
      at(object, 'kind', `the cluster does not know ${kind}, and no CustomResourceDefinition here makes it`),
    ];
  });
}

/** Kinds that the platform's own CustomResourceDefinitions make, and whether their objects have a namespace. */
function ownKinds(objects: readonly OwnObject[]): Map<string, { namespaced: boolean }> {
  return new Map(
    objects.flatMap(({ manifest }) => {
      if (manifest.kind !== 'CustomResourceDefinition') return [];
      const { group, names, scope, versions } = manifest.spec as {
        group: string;
        names: { kind: string };
        scope: string;
        versions: { name: string; served: boolean }[];
      };
      return versions
        .filter(({ served }) => served)
        .map(({ name }) => [`${group}/${name}/${names.kind}`, { namespaced: scope !== 'Cluster' }] as const);
    }),
  );
}

function namespaceProblems(objects: readonly OwnObject[], around: Surroundings): Diagnostic[] {
  const own = new Set(
    objects
      .filter(({ manifest }) => manifest.kind === 'Namespace')
      .map(({ manifest }) => manifest.metadata.name),
  );
  return objects.flatMap((object) => {
    const { namespace } = object.manifest.metadata;
    if (namespace === undefined || own.has(namespace) || around.namespaces.has(namespace)) return [];
    return [
      at(object, 'metadata.namespace', `there is no namespace ${namespace}, neither here nor on the cluster`),
    ];
  });
}

/** Without a namespace, kubectl would take the one of the kubeconfig's context, which nobody has named here. */
function scopeProblems(
  objects: readonly OwnObject[],
  around: Surroundings,
  { namespaced }: Bounds,
): Diagnostic[] {
  const own = ownKinds(objects);
  return objects.flatMap((object) => {
    const { namespace } = object.manifest.metadata;
    const kind = kindOf(object.manifest);
    if (READ_HERE.includes(object.manifest.kind) || !(around.kinds.has(kind) || own.has(kind))) return [];
    const hasOne = own.get(kind)?.namespaced ?? namespaced.has(kind);
    // An empty one is none to kubectl.
    if (hasOne === Boolean(namespace)) return [];
    const message = hasOne
      ? 'missing: expected the namespace that it is to go to, which would be whatever the kubeconfig says'
      : // It would be neither looked for before nor taken away after: its namespace goes, and it stays.
        `a ${object.manifest.kind} is of the whole cluster: expected none, not ${namespace}`;
    return [at(object, 'metadata.namespace', message)];
  });
}

/** Those that the platform brings are to be listed as well: who reads the guardrails shall see all that is touched. */
function boundsProblems(objects: readonly OwnObject[], { guardrails }: Bounds): Diagnostic[] {
  if (guardrails === undefined) return [];
  return objects.flatMap((object) => {
    const { kind, metadata } = object.manifest;
    if (READ_HERE.includes(kind)) return [];
    const { field, name } =
      kind === 'Namespace'
        ? { field: 'metadata.name', name: metadata.name }
        : { field: 'metadata.namespace', name: metadata.namespace };
    if (!name || guardrails.namespaces.includes(name)) return [];
    const expected = `expected it among spec.namespaces of ${guardrails.file ?? 'a guardrails file'}`;
    return [at(object, field, `${name} is not allow-listed: ${expected}`)];
  });
}

async function imageProblems(objects: readonly OwnObject[], around: Surroundings): Promise<Diagnostic[]> {
  const found = objects.flatMap((object) => {
    const path = POD_PATHS[object.manifest.kind];
    const pod = path === undefined ? undefined : (field(object.manifest, path) as PodSpec | undefined);
    return (['initContainers', 'containers'] as const).flatMap((list) =>
      (pod?.[list] ?? []).map(({ image = '' }, i) => ({
        object,
        field: `${path}.${list}[${i}].image`,
        image,
      })),
    );
  });
  const problems = await Promise.all(
    found.map(async ({ object, field, image }) => {
      const why = await around.imageProblem(image);
      return why === undefined ? [] : [at(object, field, `${image}: ${why}`)];
    }),
  );
  return problems.flat();
}

/** A claim that no class answers waits for ever, and its pod with it; what a class keeps is left behind. */
function storageProblems(objects: readonly OwnObject[], { storage }: Surroundings): Diagnostic[] {
  if (storage === undefined) return [];
  const classes = objects.map(({ manifest }) => manifest).filter(({ kind }) => kind === 'StorageClass');
  // A volume that is there already is bound by the name of a class that need not be one.
  const volumes = objects.flatMap(({ manifest: { kind, spec } }) =>
    kind === 'PersistentVolume' ? [String((spec as Claim).storageClassName)] : [],
  );
  const names = new Set([...storage.names, ...volumes, ...classes.map(({ metadata }) => metadata.name)]);
  const byDefault = classes.find(isDefaultClass)?.metadata.name ?? storage.byDefault;
  const keeping = new Set([
    ...(storage.keeping ?? []),
    ...classes.filter(keepsItsVolumes).map(({ metadata }) => metadata.name),
  ]);
  return objects.flatMap((object) =>
    claimsOf(object.manifest).flatMap(({ path, spec }) => {
      const { storageClassName: named, volumeName } = spec;
      // Bound by hand: to a volume by its name, or, with no class, to any that fits.
      if (volumeName !== undefined || named === '') return [];
      const say = (message: string) => [at(object, `${path}.storageClassName`, message)];
      const name = named ?? byDefault;
      if (name === undefined) return say('not set, and the cluster has no default StorageClass');
      if (named !== undefined && !names.has(named)) return say(`the cluster has no StorageClass ${named}`);
      return keeping.has(name) ? say(keepsVolumes(name)) : [];
    }),
  );
}

interface Claim {
  storageClassName?: string;
  volumeName?: string;
}

function claimsOf({ kind, spec }: Manifest): { path: string; spec: Claim }[] {
  if (kind === 'PersistentVolumeClaim') return [{ path: 'spec', spec: spec as Claim }];
  if (kind !== 'StatefulSet') return [];
  const { volumeClaimTemplates = [] } = spec as { volumeClaimTemplates?: { spec: Claim }[] };
  return volumeClaimTemplates.map(({ spec }, i) => ({ path: `spec.volumeClaimTemplates[${i}].spec`, spec }));
}

function componentProblems(
  objects: readonly OwnObject[],
  { components, speaks: { namespace }, file }: Facts,
): Diagnostic[] {
  const missing = Object.entries(components).filter(
    ([, { deployment }]) => deploymentOf(objects, deployment, namespace) === undefined,
  );
  return missing.map(([name, { deployment }]) => ({
    ...{ file, field: `spec.components.${name}.deployment` },
    message: `the platform has no Deployment ${deployment} in namespace ${namespace}`,
  }));
}

export function deploymentOf(
  objects: readonly OwnObject[],
  name: string,
  namespace: string,
): OwnObject | undefined {
  return objects.find(
    ({ manifest }) =>
      manifest.kind === 'Deployment' &&
      manifest.metadata.name === name &&
      manifest.metadata.namespace === namespace,
  );
}

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  verbs?: string[];
  resourceNames?: string[];
}

function rightsProblems(
  objects: readonly OwnObject[],
  { needs: { rights }, speaks: { namespace } }: Facts,
): Diagnostic[] {
  return rights.flatMap(({ serviceAccount, group, resources, verbs, why }) => {
    const roles = rolesOf(objects, serviceAccount, namespace);
    const [first] = roles;
    const rules = roles.flatMap(({ manifest }) => (manifest.rules ?? []) as Rule[]);
    const allows = (resource: string, verb: string) =>
      rules.some(
        (rule) =>
          rule.resourceNames === undefined &&
          has(rule.apiGroups, group) &&
          has(rule.resources, resource) &&
          has(rule.verbs, verb),
      );
    const missing = resources.flatMap((resource) => {
      const lacking = verbs.filter((verb) => !allows(resource, verb));
      return lacking.length === 0 ? [] : [`${lacking.join(', ')} on ${resource}`];
    });
    if (missing.length === 0) return [];
    const message = `ServiceAccount ${serviceAccount} may not ${missing.join('; ')} (apiGroup "${group}"): ${why}`;
    return [first ? at(first, 'rules', message) : { file: '--platform', message }];
  });
}

const has = (list: string[] | undefined, wanted: string) =>
  list?.includes(wanted) === true || list?.includes('*') === true;

/** Roles that an account of the namespace has there, those for the whole cluster first; what it may elsewhere is of no use. */
function rolesOf(objects: readonly OwnObject[], serviceAccount: string, namespace: string): OwnObject[] {
  const bound = new Set(
    objects.flatMap(({ manifest }) => {
      const here = manifest.kind === 'ClusterRoleBinding' || manifest.metadata.namespace === namespace;
      const { roleRef, subjects = [] } = manifest as unknown as {
        roleRef?: { kind: string; name: string };
        subjects?: { kind: string; name: string; namespace?: string }[];
      };
      const ours = subjects.some(
        (subject) =>
          subject.kind === 'ServiceAccount' &&
          subject.name === serviceAccount &&
          (subject.namespace ?? namespace) === namespace,
      );
      return here && ours && roleRef ? [`${roleRef.kind} ${roleRef.name}`] : [];
    }),
  );
  return objects
    .filter(({ manifest }) => bound.has(nameOf(manifest)))
    .filter(
      ({ manifest: { kind, metadata } }) =>
        kind === 'ClusterRole' || (kind === 'Role' && metadata.namespace === namespace),
    )
    .sort((a, b) => a.manifest.kind.localeCompare(b.manifest.kind));
}

async function environmentProblems(
  objects: readonly OwnObject[],
  { needs: { environment }, speaks: { namespace }, file }: Facts,
  around: Surroundings,
): Promise<Diagnostic[]> {
  const problems = await Promise.all(
    environment.map(async ({ deployment, name, is, why }, i) => {
      const object = deploymentOf(objects, deployment, namespace);
      if (object === undefined)
        return [
          {
            ...{ file, field: `spec.needs.environment[${i}].deployment` },
            message: `the platform has no Deployment ${deployment} in namespace ${namespace}`,
          },
        ];
      const path = 'spec.template.spec.containers[0].env';
      const [container] = (field(object.manifest, 'spec.template.spec') as PodSpec).containers ?? [];
      const index = container?.env?.findIndex((variable) => variable.name === name) ?? -1;
      const variable = container?.env?.[index];
      // All of a ConfigMap or a Secret, which is not to be read here.
      if (variable === undefined && container?.envFrom !== undefined) return [];
      if (variable === undefined) return [at(object, path, `${name} is not set: ${why}`)];
      // From a Secret or a ConfigMap: not to be read here.
      if (variable.value === undefined || is === 'text') return [];
      const problem =
        is === 'image'
          ? await around.imageProblem(variable.value)
          : await around.registryProblem(variable.value.split('/')[0] as string);
      return problem === undefined
        ? []
        : [at(object, `${path}[${index}] (${name})`, `${variable.value}: ${problem}: ${why}`)];
    }),
  );
  return problems.flat();
}

function neededKindProblems(
  objects: readonly OwnObject[],
  { kinds }: Facts['needs'],
  around: Surroundings,
): Diagnostic[] {
  const own = ownKinds(objects);
  return kinds.flatMap(({ of, apiVersion, kind, unless, why }) => {
    const wanted = `${apiVersion}/${kind}`;
    if (around.kinds.has(wanted) || own.has(wanted)) return [];
    return objects
      .filter(({ manifest }) => manifest.kind === of)
      .filter(({ manifest }) => unless === undefined || field(manifest, unless.field) !== unless.is)
      .map((object) =>
        at(object, unless?.field ?? 'kind', `needs ${wanted}, which the cluster does not know: ${why}`),
      );
  });
}

function field(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], object);
}
