import { expect, it } from 'vitest';
import { faultRights } from './faults/index.ts';
import { type ClusterAbilities, rightsManifests } from './rights.ts';

const cluster: ClusterAbilities = {
  namespace: 'lab',
  owners: {
    builder: { namespace: 'lab', resource: 'deployments' },
    activator: { namespace: 'serving', resource: 'deployments' },
  },
  ...{ workers: 2, cores: 2, machines: true, doors: [], shells: [], shapers: [] },
};
const abilities = {
  ...{
    target: 'kind',
    components: [],
    infrastructure: [],
    pausable: [],
    blackhole: [],
    throttle: true,
    objectStore: true,
    cluster,
  },
};
const killed = (component: string) => ({ kind: 'component-killed', params: { component } });

it('asks for what the faults need, each verb once, and for nothing where there is no fault', () => {
  expect(faultRights([], abilities)).toEqual([]);
  const rights = faultRights(
    [killed('builder'), killed('builder'), { kind: 'broker-split', params: {} }],
    abilities,
  );
  expect(rights).toEqual([
    { namespace: 'lab', group: '', resources: ['pods'], verbs: ['delete', 'get', 'list'] },
    { namespace: 'lab', group: '', resources: ['pods/exec'], verbs: ['create', 'get'] },
    { namespace: 'lab', group: 'apps', resources: ['deployments'], verbs: ['get'] },
    { namespace: 'lab', group: 'apps', resources: ['deployments/scale'], verbs: ['get', 'patch', 'update'] },
    {
      ...{ namespace: 'lab', group: 'chaos-mesh.org', resources: ['networkchaos'] },
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
    },
  ]);
});

it('asks for the way into pods only where a look needs it', () => {
  const heard = { ...abilities, cluster: { ...cluster, readyDoors: ['builder'] } };
  const into = (faults: Parameters<typeof faultRights>[0]) =>
    faultRights(faults, heard).some(({ resources }) => resources.includes('pods/exec'));
  const podKilled = (component: string) => ({ kind: 'pod-killed', params: { component } });
  expect([into([killed('builder')]), into([killed('activator')])]).toEqual([false, true]);
  expect([into([podKilled('builder')]), into([podKilled('rabbitmq')])]).toEqual([false, true]);
  expect(into([{ kind: 'pod-killed', params: { component: 'builder', which: 'leader' } }])).toBe(false);
  // Its pods are still to be found, and deleted.
  expect(faultRights([killed('builder')], heard)[0]).toMatchObject({ verbs: ['delete', 'get', 'list'] });
});

it('lets what the run did not make be scaled by its name alone', () => {
  const owners = { activator: { namespace: 'serving', resource: 'deployments', name: 'activator' } };
  const rights = faultRights([killed('activator'), { kind: 'dns-gone', params: {} }], {
    ...abilities,
    cluster: { ...cluster, owners },
  });
  const rules = rightsManifests(rights, { name: 'faults', namespace: 'lab' })
    .filter(({ kind }) => kind === 'Role')
    .flatMap(({ metadata, rules }) =>
      (rules as object[]).map((rule) => ({ in: metadata.namespace, ...rule })),
    );
  const apps = rules.filter((rule) => JSON.stringify(rule).includes('"apps"'));
  expect(apps).toEqual([
    ...[
      ['kube-system', 'coredns'],
      ['serving', 'activator'],
    ].flatMap(([namespace, name]) => [
      {
        ...{ in: namespace, apiGroups: ['apps'], resources: ['deployments'] },
        ...{ resourceNames: [name], verbs: ['get'] },
      },
      {
        ...{ in: namespace, apiGroups: ['apps'], resources: ['deployments/scale'] },
        ...{ resourceNames: [name], verbs: ['get', 'patch', 'update'] },
      },
    ]),
  ]);
});

it('asks for nothing on a target that is no cluster', () => {
  const { cluster: _, ...local } = abilities;
  expect(faultRights([killed('builder')], local)).toEqual([]);
});

it('writes a Role in each namespace, and a ClusterRole for what has none', () => {
  const rights = faultRights(
    [killed('activator'), { kind: 'node-lost', params: { of: 'builder' } }],
    abilities,
  );
  const manifests = rightsManifests(rights, { name: 'faults', namespace: 'lab' });
  expect(manifests.map(({ kind, metadata }) => [kind, metadata.namespace, metadata.name])).toEqual([
    ['ClusterRole', undefined, 'faults'],
    ['ClusterRoleBinding', undefined, 'faults'],
    ['Role', 'lab', 'faults'],
    ['RoleBinding', 'lab', 'faults'],
    ['Role', 'serving', 'faults'],
    ['RoleBinding', 'serving', 'faults'],
  ]);
  expect(manifests[0]?.rules).toEqual([
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    ...['deployments', 'replicasets', 'statefulsets'].map((resource) => ({
      ...{ apiGroups: ['apps'], resources: [resource], verbs: ['list'] },
    })),
  ]);
  for (const binding of manifests.filter(({ kind }) => kind.endsWith('Binding')))
    expect(binding.subjects).toEqual([{ kind: 'ServiceAccount', name: 'faults', namespace: 'lab' }]);
});
