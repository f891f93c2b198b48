import { expect, it } from 'vitest';
import { nodeImpact } from './node-impact.ts';

const LISTING = `a	web-1	one	ReplicaSet	web-7c9	
a	web-2	two	ReplicaSet	web-7c9	
a	web-3	two	ReplicaSet	web-8d1	
a	web-4	two	ReplicaSet	web-7c9	2026-01-01T00:00:00Z
functions	fn-0001-deployment-x	two	ReplicaSet	fn-0001-deployment-5f	
a	queue-0	one	StatefulSet	queue	
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
    { name: 'a/web', hit: 2, of: 4 },
    { name: 'functions/fn-0001-deployment', hit: 1, of: 1 },
    { name: 'a/queue', hit: 1, of: 2 },
  ]);
});
