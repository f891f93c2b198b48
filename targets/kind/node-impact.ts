/** What goes with a node, from the list of all pods: what Guardrails are asked about. */
import type { Impact } from '../../chaos/fault.ts';

export interface PodOfCluster {
  metadata: {
    namespace: string;
    name: string;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string }[];
  };
  spec: { nodeName?: string };
}

/** Owners of pods that every node has of its own: DaemonSets, and the node itself for static pods. */
const OF_THE_NODE = new Set(['DaemonSet', 'Node']);

/** Workloads are named `namespace/name`; one Job has one pod, and no replicas to take a share of. */
export function nodeImpact(all: PodOfCluster[], node: string): Impact {
  const kindOf = (pod: PodOfCluster) => pod.metadata.ownerReferences?.[0]?.kind ?? '';
  const movable = all.filter((pod) => !OF_THE_NODE.has(kindOf(pod)));
  const onNode = (pod: PodOfCluster) => pod.spec.nodeName === node;
  const replicated = movable.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !['', 'Job'].includes(kindOf(pod)),
  );
  return {
    pods: movable.filter(onNode).map(({ metadata: { namespace, name } }) => ({ namespace, name })),
    nodes: [node],
    workloads: [...Map.groupBy(replicated, workloadOf)].flatMap(([name, pods]) => {
      const hit = pods.filter(onNode).length;
      return hit > 0 ? [{ name, hit, of: pods.length }] : [];
    }),
  };
}

function workloadOf({ metadata: { namespace, ownerReferences } }: PodOfCluster): string {
  const owner = ownerReferences?.[0];
  // A Deployment's ReplicaSets are named after it; a rollout has two.
  const name = owner?.kind === 'ReplicaSet' ? owner.name.replace(/-[^-]+$/, '') : (owner?.name ?? '');
  return `${namespace}/${name}`;
}
