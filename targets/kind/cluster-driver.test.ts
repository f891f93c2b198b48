import type { V1Pod } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import type { Kubernetes } from '../../kind/kubernetes.ts';
import { KNATIVE_OWNERS } from './chaos.ts';
import { clusterDriver } from './cluster-driver.ts';
import type { Place } from './place.ts';
import type { PodWatch } from './pods.ts';

const pod = (name: string, ready: boolean): V1Pod => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

const driver = (pods: V1Pod[]) =>
  clusterDriver({
    cluster: {} as Kubernetes,
    place: { way: {}, nodes: [] } as unknown as Place,
    ...{ namespace: 'lab', owners: KNATIVE_OWNERS, readyUrl: () => '' },
    pods: { of: () => pods } as unknown as PodWatch,
  });

it('counts what serves nobody already beside what is hit, and names workloads as a node has them', () => {
  const { impactOfPods } = driver([pod('a-1', true), pod('a-2', false), pod('a-3', true)]);
  expect(impactOfPods('activator', ['a-1']).workloads).toEqual([
    { name: 'lab/activator', hit: 1, unready: 1, of: 3 },
  ]);
  expect(impactOfPods('activator').workloads).toEqual([{ name: 'lab/activator', hit: 3, of: 3 }]);
});
