import { expect, it } from 'vitest';
import { nodeImpact } from './node-impact.ts';

const LISTING = `a	web-1	one	ReplicaSet	web-7c9		Running	True
a	web-2	two	ReplicaSet	web-7c9	
a	web-3	two	ReplicaSet	web-8d1	
a	web-4	two	ReplicaSet	web-7c9	2026-01-01T00:00:00Z
functions	fn-0001-deployment-x	two	ReplicaSet	fn-0001-deployment-5f	
a	queue-0	one	StatefulSet	queue		Running	True
a	queue-1	two	StatefulSet	queue	
a	build-1	two	Job	build	
a	waiting		ReplicaSet	web-7c9	
a	proxy-two	two	DaemonSet	proxy	
a	kubelet-two	two	Node	two	
a	bare	two			
a	web-old	two	ReplicaSet	web-7c9		Failed
a	done-1	two	Job	done		Succeeded
a	web-set	one	StatefulSet	web		Running
`;

it('takes of each workload of the cluster what is on the node, and leaves what every node has', () => {
  const { pods, nodes, workloads } = nodeImpact(LISTING, 'two');
  expect(nodes).toEqual(['two']);
  expect(pods.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
    ...[
      'a/web-2',
      'a/web-3',
      'a/web-4',
      'functions/fn-0001-deployment-x',
      'a/queue-1',
      'a/build-1',
      'a/bare',
    ],
  ]);
  expect(workloads).toEqual([
    { name: 'a/web', hit: 2, unready: 1, of: 4 },
    { name: 'functions/fn-0001-deployment', hit: 1, of: 1 },
    { name: 'a/queue', hit: 1, of: 2 },
    { name: 'a/bare', hit: 1, of: 1 },
  ]);
});

it('says how many replicas elsewhere serve nobody already', () => {
  const listing = `a	web-1	one	ReplicaSet	web-7c9		Running	True
a	web-2	two	ReplicaSet	web-7c9		Running	False
a	web-3	two	ReplicaSet	web-7c9		Running	True
a	web-4		ReplicaSet	web-7c9		Pending	
a	web-5	two	ReplicaSet	web-7c9	2026-01-01T00:00:00Z	Running	True
a	queue-0	one	StatefulSet	queue		Running	False
a	queue-1	two	StatefulSet	queue	2026-01-01T00:00:00Z	Running	True
a	queue-2	two	StatefulSet	queue		Running	True
`;
  expect(nodeImpact(listing, 'one').workloads).toEqual([
    { name: 'a/web', hit: 1, unready: 2, of: 4 },
    // Of a StatefulSet no other comes before the one that goes is gone.
    { name: 'a/queue', hit: 1, unready: 1, of: 3 },
  ]);
});
