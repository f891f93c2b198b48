import { expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Manifest } from '../../kind/kubernetes.ts';
import { alertmanager, kubeStateMetrics, objectStore, prometheus, rabbitmq } from './services.ts';

const where = { namespace: 'ns', image: 'registry:5000/services:1' };
const apart = { ...where, onControlPlane: true };
const broker = { ...where, replicas: 3, password: 'pass', cookie: 'biscuit', statisticsMs: 1000.4 };
const metrics = {
  ...{ ...where, onControlPlane: true, rules: 'groups: [] # "{{ $labels.queue }}"\n', targets: [] },
  ...{ scrapeMs: 1000, evaluationMs: 500, timeScale: 60 },
};

const node = { name: 'one', address: '10.0.0.1' };

// biome-ignore lint/suspicious/noExplicitAny: manifests are looked into at will.
const find = (manifests: Manifest[], kind: string, name?: string): any =>
  manifests.find((m) => m.kind === kind && (name === undefined || m.metadata.name === name));
const jobs = (options: Parameters<typeof prometheus>[0]): { [field: string]: unknown }[] =>
  parse(find(prometheus(options), 'ConfigMap').data['prometheus.yml']).scrape_configs ?? [];

it("gives the broker's nodes the names by which they look for each other", () => {
  const manifests = rabbitmq(broker);
  const config: string = find(manifests, 'Secret').stringData['rabbitmq.conf'];
  const set = find(manifests, 'StatefulSet');
  const { env } = set.spec.template.spec.containers[0];
  const own = env.find((e: { name: string }) => e.name === 'RABBITMQ_NODENAME').value;
  for (const i of [0, 1, 2])
    expect(config).toContain(`classic_config.nodes.${i + 1} = ${own.replace('$(POD)', `rabbitmq-${i}`)}\n`);
  expect(config).not.toContain('nodes.4');
  // A variable can only name one that stands before it.
  expect(env[0].name).toBe('POD');
  expect(find(manifests, 'Service', set.spec.serviceName).spec).toMatchObject({
    // Before they are Ready, too: they become so together.
    ...{ clusterIP: 'None', publishNotReadyAddresses: true },
  });
  expect(config).toContain('cluster_partition_handling = pause_minority\n');
  expect(config).toContain('collect_statistics_interval = 1000\n');
});

it('has passwords in Secrets only', () => {
  const manifests = [
    ...rabbitmq(broker),
    ...objectStore({ ...where, access: 'acc-ess', secret: 'sec-ret' }),
  ].filter(({ kind }) => kind !== 'Secret');
  for (const word of ['biscuit', 'pass"', ':pass@', 'acc-ess', 'sec-ret'])
    expect(JSON.stringify(manifests)).not.toContain(word);
});

it('hands rules on unchanged, and divides the times of alerts', () => {
  expect(find(prometheus(metrics), 'ConfigMap').data['rules.yml']).toBe(metrics.rules);
  const config = find(alertmanager({ ...apart, webhookUrl: 'http://host:1/', timeScale: 10 }), 'ConfigMap')
    .data['alertmanager.yml'];
  expect(parse(config).route).toMatchObject({ group_wait: '1s', group_interval: '3s' });
});

it('measures containers only where it is asked to, with the rights for those nodes', () => {
  const without = prometheus(metrics);
  expect(without.map(({ kind }) => kind)).toEqual(['ConfigMap', 'Service', 'Deployment']);
  expect(find(without, 'Deployment').spec.template.spec.automountServiceAccountToken).toBe(false);

  const nodes = [
    { name: 'one', address: '10.0.0.1' },
    { name: 'two', address: '10.0.0.2' },
  ];
  const manifests = prometheus({ ...metrics, nodes });
  // Not `nodes/proxy`, which is any command in any pod of the node.
  expect(find(manifests, 'ClusterRole').rules).toEqual([
    { apiGroups: [''], resources: ['nodes/metrics'], resourceNames: ['one', 'two'], verbs: ['get'] },
  ]);
  expect(find(manifests, 'Deployment').spec.template.spec.serviceAccountName).toBe(
    find(manifests, 'ServiceAccount').metadata.name,
  );
  expect(jobs({ ...metrics, nodes })).toMatchObject([
    {
      ...{ job_name: 'cadvisor', scheme: 'https', metrics_path: '/metrics/cadvisor' },
      // As queries know them: by the name of the node.
      static_configs: [
        { targets: ['10.0.0.1:10250'], labels: { instance: 'one' } },
        { targets: ['10.0.0.2:10250'], labels: { instance: 'two' } },
      ],
    },
  ]);
  // Where nobody knows its address, its name may be resolved.
  const [unknown] = jobs({ ...metrics, nodes: [{ name: 'three', address: '' }] });
  expect(unknown?.static_configs).toMatchObject([{ targets: ['three:10250'] }]);
});

it('reads what is expensive every 15 s, and never more often than every 5 s', () => {
  const every = (timeScale: number) =>
    jobs({ ...metrics, timeScale, nodes: [node], kubeStateMetrics: true }).map((j) => j.scrape_interval);
  expect([every(1), every(2), every(60)]).toEqual([
    ['15s', '15s'],
    ['7s500ms', '7s500ms'],
    ['5s', '5s'],
  ]);
});

it('puts what watches on the control plane, where there is one', () => {
  const selectors = (onControlPlane: boolean) =>
    [
      ...prometheus({ ...metrics, onControlPlane }),
      ...alertmanager({ ...where, onControlPlane, webhookUrl: 'http://host:1/', timeScale: 1 }),
      ...kubeStateMetrics({ ...where, onControlPlane }),
      // biome-ignore lint/suspicious/noExplicitAny: as above.
    ].flatMap((m: any) => (m.kind === 'Deployment' ? [m.spec.template.spec.nodeSelector] : []));
  const there = { 'node-role.kubernetes.io/control-plane': '' };
  expect(selectors(true)).toEqual([there, there, there]);
  expect(selectors(false)).toEqual([undefined, undefined, undefined]);
});

it('keeps the sources of builds when the pod that serves them goes', () => {
  const manifests = objectStore({ ...where, access: 'a', secret: 's' });
  const { volumes, containers } = find(manifests, 'Deployment').spec.template.spec;
  expect(volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'object-store' } }]);
  expect(find(manifests, 'PersistentVolumeClaim', 'object-store').spec.accessModes).toEqual([
    'ReadWriteOnce',
  ]);
  for (const { name } of containers[0].volumeMounts) expect(name).toBe('data');
});

it('lets nothing run as root, write to its image or take memory without end', () => {
  const all = [
    ...rabbitmq(broker),
    ...objectStore({ ...where, access: 'a', secret: 's' }),
    ...prometheus({ ...metrics, nodes: [node] }),
    ...alertmanager({ ...apart, webhookUrl: 'http://host:1/', timeScale: 1 }),
    ...kubeStateMetrics(apart),
    // biome-ignore lint/suspicious/noExplicitAny: as above.
  ].filter((m: any) => m.spec?.template) as any[];
  expect(all).toHaveLength(5);
  for (const { metadata, spec } of all)
    for (const container of spec.template.spec.containers) {
      expect(container.securityContext, metadata.name).toMatchObject({
        ...{ runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      });
      expect(container.resources.limits, metadata.name).toEqual({
        memory: expect.stringMatching(/^\d+[MG]i$/),
      });
      expect(container.readinessProbe, metadata.name).toBeDefined();
    }
});
