/** What goes with a node, from the list of all pods: what guardrails are asked about. */
import type { Impact } from '../../chaos/fault.ts';

/** A pod a line, fields between tabs: what {@link nodeImpact} reads. The whole objects of a cluster's pods are megabytes. */
export const PODS_PATH = `--output=jsonpath={range .items[*]}${[
  '.metadata.namespace',
  '.metadata.name',
  '.spec.nodeName',
  '.metadata.ownerReferences[0].kind',
  '.metadata.ownerReferences[0].name',
  '.metadata.deletionTimestamp',
  '.status.phase',
]
  .map((field) => `{${field}}`)
  .join('{"\\t"}')}{"\\n"}{end}`;

/** Owners of pods that every node has of its own: DaemonSets, and the node itself for static pods. */
const OF_THE_NODE = ['DaemonSet', 'Node'];
/** One Job has one pod, and a pod without an owner is alone: no replicas to take a share of. */
const ALONE = ['Job', ''];

/** @param listing all pods of the cluster, as {@link PODS_PATH} has them. Workloads are named `namespace/name`. */
export function nodeImpact(listing: string, node: string): Impact {
  const movable = listing
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [namespace = '', name = '', at = '', ownerKind = '', owner = '', going = '', phase = ''] =
        line.split('\t');
      return {
        namespace,
        name,
        onNode: at === node,
        ownerKind,
        owner,
        going: going !== '',
        over: OVER.includes(phase.trim()),
      };
    })
    .filter((pod) => !OF_THE_NODE.includes(pod.ownerKind) && !pod.over);
  const replicated = movable.filter((pod) => !pod.going && !ALONE.includes(pod.ownerKind));
  return {
    pods: movable.filter((pod) => pod.onNode).map(({ namespace, name }) => ({ namespace, name })),
    nodes: [node],
    // A StatefulSet may have the name of a Deployment.
    workloads: [...Map.groupBy(replicated, (pod) => `${pod.ownerKind} ${workloadOf(pod)}`)].flatMap(
      ([, pods]) => {
        const hit = pods.filter((pod) => pod.onNode).length;
        return hit > 0 ? [{ name: workloadOf(pods[0] as Pod), hit, of: pods.length }] : [];
      },
    ),
  };
}

/** A pod that has ended is listed until somebody deletes it, and serves nobody. */
const OVER = ['Succeeded', 'Failed'];

type Pod = Record<'namespace' | 'ownerKind' | 'owner', string>;

function workloadOf({ namespace, ownerKind, owner }: Pod) {
  // A Deployment's ReplicaSets are named after it; a rollout has two.
  return `${namespace}/${ownerKind === 'ReplicaSet' ? owner.replace(/-[^-]+$/, '') : owner}`;
}
