import { expect, it } from 'vitest';
import { nodeImpact, type PodOfCluster } from './node-impact.ts';

const pod = (name: string, nodeName: string, kind: string, owner: string, namespace = 'a'): PodOfCluster => ({
  metadata: { namespace, name, ownerReferences: [{ kind, name: owner }] },
  spec: { nodeName },
});

it('takes of each workload of the cluster what is on the node, and leaves what every node has', () => {
  const going = pod('web-4', 'two', 'ReplicaSet', 'web-7c9');
  going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  const all = [
    pod('web-1', 'one', 'ReplicaSet', 'web-7c9'),
    pod('web-2', 'two', 'ReplicaSet', 'web-7c9'),
    pod('web-3', 'two', 'ReplicaSet', 'web-8d1'),
    going,
    pod('fn-0001-deployment-x', 'two', 'ReplicaSet', 'fn-0001-deployment-5f', 'functions'),
    pod('queue-0', 'one', 'StatefulSet', 'queue'),
    pod('queue-1', 'two', 'StatefulSet', 'queue'),
    pod('build-1', 'two', 'Job', 'build'),
    pod('proxy-two', 'two', 'DaemonSet', 'proxy'),
    pod('kubelet-two', 'two', 'Node', 'two'),
    { metadata: { namespace: 'a', name: 'bare' }, spec: { nodeName: 'two' } },
  ];
  const { pods, nodes, workloads } = nodeImpact(all, 'two');
  expect(nodes).toEqual(['two']);
  expect(pods.map(({ name }) => name)).toEqual([
    ...['web-2', 'web-3', 'web-4', 'fn-0001-deployment-x', 'queue-1', 'build-1', 'bare'],
  ]);
  expect(workloads).toEqual([
    { name: 'a/web', hit: 2, of: 3 },
    { name: 'functions/fn-0001-deployment', hit: 1, of: 1 },
    { name: 'a/queue', hit: 1, of: 2 },
  ]);
});
