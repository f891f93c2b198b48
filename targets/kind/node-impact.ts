/** What goes with a node, from the lists of all pods and of what owns them: what guardrails are asked about. */
import type { Impact } from '../../chaos/fault.ts';
import { shareOf } from '../../chaos/guardrails/share.ts';

const CONTROLLER = '.metadata.ownerReferences[?(@.controller==true)]';

/** An object a line, fields between tabs. The whole objects of a cluster are megabytes. */
const linesOf = (fields: string[]) =>
  `--output=jsonpath={range .items[*]}${fields.map((field) => `{${field}}`).join('{"\\t"}')}{"\\n"}{end}`;

/** Of pods: what {@link nodeImpact} reads. */
export const PODS_PATH = linesOf([
  '.metadata.namespace',
  '.metadata.name',
  '.spec.nodeName',
  // Others may own a pod and never make it again.
  `${CONTROLLER}.kind`,
  `${CONTROLLER}.name`,
  '.metadata.deletionTimestamp',
  '.status.phase',
  '.status.conditions[?(@.type=="Ready")].status',
]);

/** Kinds that say how many pods they want, and the same of each of them. Knative's revisions are Deployments. */
export const OWNERS = ['deployments', 'replicasets', 'statefulsets'];
export const OWNERS_PATH = linesOf([
  ...['.kind', '.metadata.namespace', '.metadata.name'],
  ...[`${CONTROLLER}.kind`, `${CONTROLLER}.name`, '.spec.replicas'],
]);

/** Owners of pods that every node has of its own: DaemonSets, and the node itself for static pods. */
const OF_THE_NODE = ['DaemonSet', 'Node'];

/**
 * Of each workload `hit` is on the node, `of` is what its Deployment, ReplicaSet or StatefulSet wants, and `unready` is of that what serves
 * nobody already: not ready, on its way out, or not there. A workload of another kind is taken for what there is of it.
 * @param pods all of the cluster, as {@link PODS_PATH} has them
 * @param owners of the cluster, as {@link OWNERS_PATH} has them. Workloads are named `namespace/name`.
 */
export function nodeImpact(pods: string, owners: string, node: string): Impact {
  const movable = rowsOf(pods)
    .map(podOf)
    .filter((pod) => !OF_THE_NODE.includes(pod.ownerKind) && !OVER.includes(pod.phase));
  // One Job has one pod: no replicas to take a share of. The place of one that goes is taken by another, but for a StatefulSet's.
  const counted = movable.filter((pod) => pod.ownerKind !== 'Job' && (!pod.going || isOfSet(pod)));
  const known = new Map(rowsOf(owners).map(ownerOf));
  return {
    pods: movable.filter((pod) => pod.at === node).map(({ namespace, name }) => ({ namespace, name })),
    nodes: [node],
    workloads: [...Map.groupBy(counted, (pod) => workloadOf(pod, known))].flatMap(([workload, some]) => {
      const serves = (pod: Pod) => pod.at !== node && pod.ready && !pod.going;
      return shareOf(nameIn(workload), {
        hit: some.filter((pod) => pod.at === node && !pod.going).length,
        left: some.filter(serves).length,
        wanted: known.get(workload)?.wanted ?? some.length,
      });
    }),
  };
}

/** A pod that has ended is listed until somebody deletes it, and serves nobody. */
const OVER = ['Succeeded', 'Failed'];

const rowsOf = (listing: string): string[][] =>
  listing
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split('\t').map((field) => field.trim()));

type Pod = ReturnType<typeof podOf>;

function podOf(fields: string[]) {
  const [namespace = '', name = '', at = '', ownerKind = '', owner = '', going = '', phase = '', ready = ''] =
    fields;
  return { namespace, name, at, ownerKind, owner, going: going !== '', phase, ready: ready === 'True' };
}

const isOfSet = ({ ownerKind }: Pod) => ownerKind === 'StatefulSet';

/** `kind namespace/name`: a StatefulSet may have the name of a Deployment. */
const keyOf = (kind: string, namespace: string, name: string) => `${kind} ${namespace}/${name}`;
const nameIn = (key: string) => key.slice(key.indexOf(' ') + 1);

interface KnownOwner {
  /** Its key; of what nobody controls undefined. */
  controller?: string;
  /** Undefined: it does not say. */
  wanted?: number;
}

function ownerOf(fields: string[]): [string, KnownOwner] {
  const [kind = '', namespace = '', name = '', controllerKind = '', controller = '', replicas = ''] = fields;
  return [
    keyOf(kind, namespace, name),
    {
      ...(controllerKind === '' ? {} : { controller: keyOf(controllerKind, namespace, controller) }),
      ...(/^\d+$/.test(replicas) ? { wanted: Number(replicas) } : {}),
    },
  ];
}

/** The key of what decides how many there are: a Deployment has a ReplicaSet of each version, in a rollout with pods of both. */
function workloadOf(
  { namespace, name, ownerKind, owner }: Pod,
  known: ReadonlyMap<string, KnownOwner>,
): string {
  // Without an owner it is alone, and all of what it is.
  if (ownerKind === '') return keyOf('Pod', namespace, name);
  const direct = keyOf(ownerKind, namespace, owner);
  const above = known.get(direct)?.controller;
  if (above !== undefined && known.has(above)) return above;
  if (ownerKind !== 'ReplicaSet' || known.has(direct)) return direct;
  // Made, or gone, between the two lists: a Deployment's ReplicaSets are named after it.
  return keyOf('Deployment', namespace, owner.replace(/-[^-]+$/, ''));
}
