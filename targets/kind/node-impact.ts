/** What goes with a node, from the list of all pods: what guardrails are asked about. */
import type { Impact } from '../../chaos/fault.ts';

/** A pod a line, fields between tabs: what {@link nodeImpact} reads. The whole objects of a cluster's pods are megabytes. */
export const PODS_PATH = `--output=jsonpath={range .items[*]}${[
  '.metadata.namespace',
  '.metadata.name',
  '.spec.nodeName',
  // Others may own a pod and never make it again.
  '.metadata.ownerReferences[?(@.controller==true)].kind',
  '.metadata.ownerReferences[?(@.controller==true)].name',
  '.metadata.deletionTimestamp',
  '.status.phase',
  '.status.conditions[?(@.type=="Ready")].status',
]
  .map((field) => `{${field}}`)
  .join('{"\\t"}')}{"\\n"}{end}`;

/** Owners of pods that every node has of its own: DaemonSets, and the node itself for static pods. */
const OF_THE_NODE = ['DaemonSet', 'Node'];

/**
 * Of each workload `hit` is on the node, and `unready` serves nobody already: what is left is what is neither. How many it should have is
 * taken from the pods that are there: of one that could not even be made, nothing is known here.
 * @param listing all pods of the cluster, as {@link PODS_PATH} has them. Workloads are named `namespace/name`.
 */
export function nodeImpact(listing: string, node: string): Impact {
  const movable = listing
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(podOf)
    .filter((pod) => !OF_THE_NODE.includes(pod.ownerKind) && !OVER.includes(pod.phase));
  // One Job has one pod: no replicas to take a share of. The place of one that goes is taken by another, but for a StatefulSet's.
  const counted = movable.filter((pod) => pod.ownerKind !== 'Job' && (!pod.going || isOfSet(pod)));
  return {
    pods: movable.filter((pod) => pod.at === node).map(({ namespace, name }) => ({ namespace, name })),
    nodes: [node],
    // A StatefulSet may have the name of a Deployment.
    workloads: [...Map.groupBy(counted, (pod) => `${pod.ownerKind} ${workloadOf(pod)}`)].flatMap(
      ([, pods]) => {
        const hit = pods.filter((pod) => pod.at === node && !pod.going).length;
        const unready = pods.filter((pod) => pod.going || (pod.at !== node && !pod.ready)).length;
        if (hit === 0) return [];
        const name = workloadOf(pods[0] as Pod);
        return [{ name, hit, ...(unready > 0 ? { unready } : {}), of: pods.length }];
      },
    ),
  };
}

/** A pod that has ended is listed until somebody deletes it, and serves nobody. */
const OVER = ['Succeeded', 'Failed'];

type Pod = ReturnType<typeof podOf>;

function podOf(line: string) {
  const [namespace = '', name = '', at = '', ownerKind = '', owner = '', going = '', phase = '', ready = ''] =
    line.split('\t').map((field) => field.trim());
  return { namespace, name, at, ownerKind, owner, going: going !== '', phase, ready: ready === 'True' };
}

const isOfSet = ({ ownerKind }: Pod) => ownerKind === 'StatefulSet';

function workloadOf({ namespace, name, ownerKind, owner }: Pod) {
  // Without an owner it is alone, and all of what it is.
  if (ownerKind === '') return `${namespace}/${name}`;
  // A Deployment's ReplicaSets are named after it; a rollout has two.
  return `${namespace}/${ownerKind === 'ReplicaSet' ? owner.replace(/-[^-]+$/, '') : owner}`;
}
