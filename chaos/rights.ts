/** What faults must be allowed to do in a cluster: each says what its acts, its probe and its undo need, and nothing else is asked for. */
import { HarnessError } from '../base/errors.ts';
import type { Abilities } from './fault.ts';

/** Resources as RBAC names them, subresources too: `deployments/scale`. */
export interface Right {
  /** Absent: in all namespaces, or of what has none. */
  namespace?: string;
  /** API group; '' is the core. */
  group: string;
  resources: string[];
  /** Of these objects alone; absent: of all. */
  names?: string[];
  verbs: string[];
}

export type ClusterAbilities = NonNullable<Abilities['cluster']>;

/** To make, follow and delete a Chaos Mesh object, and to look whether it would be taken. @param resource in the plural */
export const chaosObject = ({ namespace }: ClusterAbilities, resource: string): Right => ({
  ...{ namespace, group: 'chaos-mesh.org', resources: [resource] },
  verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'],
});

/** In the namespace of the platform, unless another is named. */
export const pods = (cluster: ClusterAbilities, verbs: string[], namespace = cluster.namespace): Right => ({
  ...{ namespace, group: '', resources: ['pods'], verbs },
});

/** To run a command in a pod. Kubernetes asks for `create`, and for `get` where kubectl speaks WebSocket. */
export const lookFrom = (cluster: ClusterAbilities): Right[] => [
  pods(cluster, ['get', 'list']),
  {
    ...{ namespace: cluster.namespace, group: '', resources: ['pods/exec'] },
    verbs: ['create', 'get'],
  },
];

/** To see whether a component answers; where this host asks it over HTTP, the cluster's API has no part in it. */
export const lookAt = (cluster: ClusterAbilities, component: unknown): Right[] =>
  cluster.readyDoors?.includes(String(component)) ? [] : lookFrom(cluster);

/** To set how many pods something holds. @param resource in the plural @param name absent: of each of its kind */
export const scaling = (namespace: string, resource: string, name?: string): Right[] => {
  const what = { namespace, group: 'apps', ...(name === undefined ? {} : { names: [name] }) };
  return [
    { ...what, resources: [resource], verbs: ['get'] },
    { ...what, resources: [`${resource}/scale`], verbs: ['get', 'patch', 'update'] },
  ];
};

/** @throws HarnessError for a component that the target does not have, which `refuse` would have said */
export function ownerOf(cluster: ClusterAbilities, component: unknown): ClusterAbilities['owners'][string] {
  const owner = cluster.owners[String(component)];
  if (owner === undefined) throw new HarnessError(`nothing holds a component "${component}"`);
  return owner;
}

/** The same rights with each verb of each resource once, in a fixed order. */
export function merged(rights: readonly Right[]): Right[] {
  const verbsOf = new Map<string, { right: Right; verbs: Set<string> }>();
  for (const right of rights)
    for (const resource of right.resources) {
      const key = JSON.stringify([right.namespace ?? '', right.group, resource, right.names ?? []]);
      const known = verbsOf.get(key) ?? { right: { ...right, resources: [resource] }, verbs: new Set() };
      for (const verb of right.verbs) known.verbs.add(verb);
      verbsOf.set(key, known);
    }
  return [...verbsOf.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { right, verbs }]) => ({ ...right, verbs: [...verbs].sort() }));
}

export interface Subject {
  name: string;
  namespace: string;
}

interface RbacObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  [field: string]: unknown;
}

const RBAC = 'rbac.authorization.k8s.io';

/** RBAC objects that give a ServiceAccount just these rights: a Role in each namespace, a ClusterRole for what has none. */
export function rightsManifests(rights: readonly Right[], subject: Subject): RbacObject[] {
  const byNamespace = Map.groupBy(merged(rights), ({ namespace }) => namespace);
  const subjects = [{ kind: 'ServiceAccount', ...subject }];
  return [...byNamespace].flatMap(([namespace, some]) => {
    const prefix = namespace === undefined ? 'Cluster' : '';
    const metadata = { name: subject.name, ...(namespace === undefined ? {} : { namespace }) };
    const rules = some.map(({ group, resources, names, verbs }) => ({
      ...{ apiGroups: [group], resources, verbs },
      ...(names === undefined ? {} : { resourceNames: names }),
    }));
    return [
      { apiVersion: `${RBAC}/v1`, kind: `${prefix}Role`, metadata, rules },
      {
        ...{ apiVersion: `${RBAC}/v1`, kind: `${prefix}RoleBinding`, metadata },
        ...{ roleRef: { apiGroup: RBAC, kind: `${prefix}Role`, name: subject.name }, subjects },
      },
    ];
  });
}
