import { expect, it } from 'vitest';
import { nodeImpact } from './node-impact.ts';

const OWNERS = `Deployment	a	web			4
ReplicaSet	a	web-7c9	Deployment	web	3
ReplicaSet	a	web-8d1	Deployment	web	1
ReplicaSet	a	web-old	Deployment	web	0
Deployment	functions	fn-0001-deployment			1
ReplicaSet	functions	fn-0001-deployment-5f	Deployment	fn-0001-deployment	1
StatefulSet	a	queue			2
StatefulSet	a	web			1
`;
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
  const { pods, nodes, workloads } = nodeImpact(LISTING, OWNERS, 'two');
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

const REPLICAS = `a	web-1	one	ReplicaSet	web-7c9		Running	True
a	web-2	two	ReplicaSet	web-7c9		Running	False
a	web-3	two	ReplicaSet	web-7c9		Running	True
a	web-4		ReplicaSet	web-7c9		Pending	
a	web-5	two	ReplicaSet	web-7c9	2026-01-01T00:00:00Z	Running	True
a	queue-0	one	StatefulSet	queue		Running	False
a	queue-1	two	StatefulSet	queue	2026-01-01T00:00:00Z	Running	True
a	queue-2	two	StatefulSet	queue		Running	True
`;

it('says how many replicas elsewhere serve nobody already', () => {
  const owners = `Deployment	a	web			4
ReplicaSet	a	web-7c9	Deployment	web	4
StatefulSet	a	queue			3
`;
  expect(nodeImpact(REPLICAS, owners, 'one').workloads).toEqual([
    { name: 'a/web', hit: 1, unready: 2, of: 4 },
    // Of a StatefulSet no other comes before the one that goes is gone.
    { name: 'a/queue', hit: 1, unready: 1, of: 3 },
  ]);
});

it('counts what was never made: a quota, or no room, and no pod tells of it', () => {
  const owners = `Deployment	a	web			10
ReplicaSet	a	web-7c9	Deployment	web	10
StatefulSet	a	queue			5
`;
  expect(nodeImpact(REPLICAS, owners, 'one').workloads).toEqual([
    { name: 'a/web', hit: 1, unready: 8, of: 10 },
    { name: 'a/queue', hit: 1, unready: 3, of: 5 },
  ]);
});

it('takes a ReplicaSet for what it says where no Deployment does', () => {
  const alone = `a	one-1	one	ReplicaSet	by-hand		Running	True
a	two-1	one	ReplicaSet	rolled-6d		Running	True
a	new-1	one	ReplicaSet	made-since-6d		Running	True
`;
  const owners = `ReplicaSet	a	by-hand			2
ReplicaSet	a	rolled-6d	Rollout	rolled	3
Deployment	a	made-since			4
`;
  expect(nodeImpact(alone, owners, 'one').workloads).toEqual([
    { name: 'a/by-hand', hit: 1, unready: 1, of: 2 },
    { name: 'a/rolled-6d', hit: 1, unready: 2, of: 3 },
    { name: 'a/made-since', hit: 1, unready: 3, of: 4 },
  ]);
});

it('takes what no object speaks for as what there is of it', () => {
  const listing = `a	x-1	one	Database	x		Running	True
a	x-2	two	Database	x		Running	False
a	x-3	two	Database	x		Running	True
`;
  expect(nodeImpact(listing, '', 'one').workloads).toEqual([{ name: 'a/x', hit: 1, unready: 1, of: 3 }]);
});
