import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../../kind/kubernetes.ts';
import { loadProfile } from '../../profile.ts';
import { kindOf, partsOf, type Surroundings, storageOf } from '../surroundings.ts';
import { readManifests } from './manifests.ts';
import { type Bounds, preflight } from './preflight.ts';

const loaded = loadProfile('knative-lambda-operator');
if (loaded.speaks.by !== 'objects') throw new Error('expected objects');
const profile = { ...loaded, speaks: loaded.speaks };
const GOOD_IMAGE = 'registry:5000/operator:1';
const good: Surroundings = {
  kinds: new Set([
    ...['v1/Namespace', 'apps/v1/Deployment', 'batch/v1/Job', 'rbac.authorization.k8s.io/v1/ClusterRole'],
    ...[
      'rbac.authorization.k8s.io/v1/ClusterRoleBinding',
      'apiextensions.k8s.io/v1/CustomResourceDefinition',
    ],
  ]),
  namespaces: new Set(['default']),
  storage: { names: new Set(['standard', 'fast']), byDefault: 'standard' },
  imageProblem: async (image) => (image === GOOD_IMAGE ? undefined : 'the registry has no such image (404)'),
  registryProblem: async (registry) => (registry === 'registry:5000' ? undefined : 'no answer'),
};

const environment = (changes: Record<string, string | undefined> = {}) =>
  Object.entries({
    BUILD_DEFAULT_REGISTRY: 'registry:5000',
    BUILD_PULL_REGISTRY: 'registry:5000',
    BUILD_KANIKO_IMAGE: GOOD_IMAGE,
    BUILD_ALPINE_INIT_IMAGE: GOOD_IMAGE,
    BUILD_NODE_BASE_IMAGE: 'registry:5000/node:20-alpine',
    ...changes,
  }).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));

const deployment = (image = GOOD_IMAGE, env = environment()): Manifest => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
  metadata: { name: 'knative-lambda-operator', namespace: 'knative-lambda' },
  spec: { template: { spec: { containers: [{ name: 'manager', image, env }] } } },
});
const namespace: Manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'knative-lambda' } };
const role = (rules: object[]): Manifest[] => [
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules },
    metadata: { name: 'operator' },
  },
  {
    ...{
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'operator' },
    },
    roleRef: { kind: 'ClusterRole', name: 'operator' },
    subjects: [{ kind: 'ServiceAccount', name: 'knative-lambda-operator', namespace: 'knative-lambda' }],
  },
];
const rbac = (verbs: string[]) => ({
  ...{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs },
});
const pods = { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['*'] };
const rights = role([rbac(['*']), pods]);
const whole = [namespace, deployment(), ...rights];

const NAMESPACED = new Set([
  ...['apps/v1/Deployment', 'apps/v1/StatefulSet', 'batch/v1/Job'],
  ...['v1/ConfigMap', 'v1/PersistentVolumeClaim'],
]);

async function problems(
  manifests: Manifest[],
  around = good,
  bounds: Omit<Bounds, 'namespaced'> = {},
): Promise<string[]> {
  const objects = manifests.map((manifest) => ({ manifest, file: `${manifest.kind}.yaml` }));
  const found = await preflight(objects, profile, around, { namespaced: NAMESPACED, ...bounds });
  return found.map(({ file, field, message }) => `${file}: ${field}: ${message}`);
}

it('lets pass what has all that it needs', async () => {
  expect(await problems(whole)).toEqual([]);
});

it('tells rights that the operator lacks, with the file of its role', async () => {
  const found = await problems([namespace, deployment(), ...role([rbac(['get', 'list']), pods])]);
  expect(found).toEqual([
    expect.stringMatching(
      /^ClusterRole\.yaml: ClusterRole operator: rules: .*may not watch, create, update on roles; watch, create, update on rolebindings/,
    ),
  ]);
});

it('does not count a right of an account of that name elsewhere, nor one that is given elsewhere', async () => {
  const [one, binding] = rights as [Manifest, Manifest];
  const stranger = {
    ...binding,
    subjects: [{ kind: 'ServiceAccount', name: 'knative-lambda-operator', namespace: 'default' }],
  };
  expect(await problems([namespace, deployment(), one, stranger])).toHaveLength(2);
  const elsewhere = { ...binding, kind: 'RoleBinding', metadata: { name: 'operator', namespace: 'default' } };
  const found = await problems([namespace, deployment(), one, elsewhere]);
  expect(found.filter((said) => said.includes('may not'))).toHaveLength(2);
});

it('does not count a right on single names, nor a role that is bound to somebody else', async () => {
  const single = { ...rbac(['*']), resourceNames: ['one'] };
  expect(await problems([namespace, deployment(), ...role([single, pods])])).toHaveLength(1);
  const [free] = rights as [Manifest];
  expect(await problems([namespace, deployment(), free])).toHaveLength(2);
});

it('tells an image, a registry and a variable, each with its field', async () => {
  const env = environment({ BUILD_DEFAULT_REGISTRY: 'gone:5000', BUILD_KANIKO_IMAGE: undefined });
  expect(await problems([namespace, deployment('gone:5000/operator:1', env), ...rights])).toEqual([
    expect.stringContaining(
      'Deployment knative-lambda-operator: spec.template.spec.containers[0].image: gone:5000/operator:1: the registry has no such image',
    ),
    expect.stringContaining('(BUILD_DEFAULT_REGISTRY): gone:5000: no answer: Kaniko pushes there'),
    expect.stringContaining('BUILD_KANIKO_IMAGE is not set'),
  ]);
});

it('tells a kind and a namespace that are not there, and a Deployment that the profile wants', async () => {
  const stray = { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name: 'it', namespace: 'nowhere' } };
  expect(await problems([namespace, ...rights, stray])).toEqual([
    expect.stringMatching(/the cluster does not know x\.io\/v1\/Thing/),
    expect.stringMatching(/there is no namespace nowhere/),
    expect.stringMatching(/spec\.components\.operator\.deployment: the platform has no Deployment/),
    // Nobody passes what could not be looked at.
    ...loaded.needs.environment.map((_, i) =>
      expect.stringContaining(`spec.needs.environment[${i}].deployment: the platform has no Deployment`),
    ),
  ]);
});

describe('where objects go', () => {
  const around: Surroundings = {
    ...good,
    kinds: new Set([...good.kinds, 'v1/ConfigMap']),
    namespaces: new Set(['default', 'payments']),
  };
  const config = (where: { namespace?: string }): Manifest => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap' },
    metadata: { name: 'it', ...where },
  });
  const custom = (scope: string, where: { namespace?: string }): Manifest[] => [
    {
      ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
      ...{ metadata: { name: 'things.x.io' } },
      spec: { group: 'x.io', names: { kind: 'Thing' }, scope, versions: [{ name: 'v1', served: true }] },
    },
    { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name: 'it', ...where } },
  ];

  it('tells an object that would go to whatever namespace the kubeconfig names', async () => {
    expect(await problems([...whole, config({})], around)).toEqual([
      expect.stringMatching(/^ConfigMap\.yaml: ConfigMap it: metadata\.namespace: missing/),
    ]);
    expect(await problems([...whole, ...custom('Namespaced', { namespace: '' })], around)).toContainEqual(
      expect.stringMatching(/^Thing\.yaml: Thing it: metadata\.namespace: missing/),
    );
    expect(await problems([...whole, ...custom('Namespaced', {})], around)).toEqual([
      expect.stringMatching(/^Thing\.yaml: Thing it: metadata\.namespace: missing/),
    ]);
    expect(await problems([...whole, ...custom('Cluster', {})], around)).toEqual([]);
    // Read, and not applied.
    const rule = { ...config({}), apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule' };
    expect(await problems([...whole, rule], around)).toEqual([]);
  });

  it('tells what is of the whole cluster and would pass for an object of the platform’s namespace', async () => {
    const here = { namespace: 'knative-lambda' };
    expect(await problems([...whole, ...custom('Namespaced', here)], around)).toEqual([]);
    expect(await problems([...whole, ...custom('Cluster', here)], around)).toEqual([
      expect.stringMatching(/Thing it: metadata\.namespace: .*the whole cluster/),
    ]);
  });

  it('tells an object in a namespace that the guardrails do not list, where there are some to ask', async () => {
    const manifests = [...whole, config({ namespace: 'payments' })];
    const listed = (...namespaces: string[]) => ({
      guardrails: { file: 'guardrails.yaml', namespaces: ['knative-lambda', ...namespaces] },
    });
    expect(await problems(manifests, around)).toEqual([]);
    expect(await problems(manifests, around, listed('payments'))).toEqual([]);
    expect(await problems(manifests, around, listed())).toEqual([
      expect.stringMatching(
        /ConfigMap it: metadata\.namespace: payments is not allow-listed: .*guardrails\.yaml/,
      ),
    ]);
    const brought: Manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'more' } };
    expect(await problems([...whole, brought], around, listed())).toEqual([
      expect.stringMatching(/Namespace more: metadata\.name: more is not allow-listed/),
    ]);
  });
});

it('tells a function whose eventing has nothing to stand on, unless it is off', async () => {
  const crd: Manifest = {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'l' } },
    spec: {
      group: 'lambda.knative.io',
      names: { kind: 'LambdaFunction' },
      versions: [{ name: 'v1alpha1', served: true }],
    },
  };
  const lambda = (spec: object): Manifest => ({
    ...{ apiVersion: 'lambda.knative.io/v1alpha1', kind: 'LambdaFunction', spec },
    metadata: { name: 'receiver', namespace: 'knative-lambda' },
  });
  expect(await problems([...whole, crd, lambda({})])).toEqual([
    expect.stringMatching(
      /LambdaFunction receiver: spec\.eventing\.enabled: needs eventing\.knative\.dev\/v1\/Broker/,
    ),
  ]);
  expect(await problems([...whole, crd, lambda({ eventing: { enabled: false } })])).toEqual([]);
});

it.each([
  ['registry:5000/a/b:1', { host: 'registry:5000', path: 'a/b', reference: '1' }],
  ['localhost/a', { host: 'localhost', path: 'a', reference: 'latest' }],
  ['alpine:3.19', { host: 'docker.io', path: 'library/alpine', reference: '3.19' }],
  ['grafana/k6', { host: 'docker.io', path: 'grafana/k6', reference: 'latest' }],
  ['ghcr.io/a/b@sha256:00', { host: 'ghcr.io', path: 'a/b', reference: 'sha256:00' }],
])('reads the image %s', (image, parts) => {
  expect(partsOf(image)).toEqual(parts);
});

it.each([
  ['deployments   deploy   apps/v1   true   Deployment   create,delete   all', 'apps/v1/Deployment'],
  ['bindings                 v1        true   Binding      create', 'v1/Binding'],
  ['', undefined],
])('reads a line of api-resources', (line, kind) => {
  expect(kindOf(line)).toBe(kind);
});

const directory = mkdtempSync(join(tmpdir(), 'faultline-manifests-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('reads manifests without kustomize, with file and line', () => {
  const file = join(directory, 'a.yaml');
  const object = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
  writeFileSync(file, `# two\n${object('one')}---\n${object('two')}`);
  const { objects } = readManifests(directory, 'kubectl-is-not-asked');
  expect(objects.map(({ manifest, line }) => [manifest.metadata.name, line])).toEqual([
    ['one', 2],
    ['two', 6],
  ]);
  writeFileSync(file, 'kind: [');
  expect(() => readManifests(directory, '')).toThrow(/a\.yaml:1: not valid YAML/);
  writeFileSync(file, 'hello: world\n');
  expect(() => readManifests(directory, '')).toThrow(/is no Kubernetes object/);
  rmSync(file);
  expect(() => readManifests(directory, '')).toThrow(/has no manifests/);
  expect(() => readManifests(join(directory, 'nowhere'), '')).toThrow(/no such directory/);
});

const claim = (spec: object): Manifest => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec },
  metadata: { name: 'data', namespace: 'knative-lambda' },
});
const set = (...templates: object[]): Manifest => ({
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet' },
  metadata: { name: 'store', namespace: 'knative-lambda' },
  spec: { volumeClaimTemplates: templates.map((spec) => ({ spec })) },
});

it('tells a claim that no StorageClass answers', async () => {
  const kinds = new Set([...good.kinds, 'v1/PersistentVolumeClaim', 'apps/v1/StatefulSet']);
  const manifests = [
    ...whole,
    ...[claim({ storageClassName: 'fast' }), claim({ storageClassName: '' }), claim({ volumeName: 'mine' })],
    ...[claim({}), set({ storageClassName: 'slow' }, {})],
  ];
  const brought = (kind: string, rest: object): Manifest => ({
    ...{ apiVersion: 'v1', kind },
    ...{ metadata: { name: 'slow', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } },
    ...rest,
  });
  expect(await problems(manifests, { ...good, kinds })).toEqual([
    expect.stringMatching(/spec\.volumeClaimTemplates\[0\]\.spec\.storageClassName: .*no StorageClass slow$/),
  ]);
  const storage = { names: new Set(['fast', 'slow']) };
  expect(await problems(manifests, { ...good, kinds, storage })).toEqual([
    expect.stringMatching(/PersistentVolumeClaim data: spec\.storageClassName: .*no default StorageClass$/),
    expect.stringMatching(/volumeClaimTemplates\[1\]\.spec\.storageClassName: .*no default StorageClass$/),
  ]);
  // Its own class, or a volume of that class that is there already.
  const more = new Set([...kinds, 'v1/StorageClass', 'v1/PersistentVolume']);
  const none = { ...good, kinds: more, storage: { names: new Set(['fast']) } };
  expect(await problems([...manifests, brought('StorageClass', {})], none)).toEqual([]);
  const volume = brought('PersistentVolume', { spec: { storageClassName: 'slow' } });
  expect(await problems([...manifests, volume], { ...good, kinds: more })).toEqual([]);
  // Who may not see the classes can not miss one.
  expect(await problems(manifests, { ...good, kinds, storage: undefined })).toEqual([]);
});

it('tells a claim whose volume would be left behind', async () => {
  const kinds = new Set([
    ...good.kinds,
    ...['v1/PersistentVolumeClaim', 'apps/v1/StatefulSet', 'storage.k8s.io/v1/StorageClass'],
  ]);
  const keeping = { names: new Set(['standard', 'kept']), byDefault: 'standard', keeping: new Set(['kept']) };
  const manifests = [
    ...whole,
    claim({}),
    set({ storageClassName: 'standard' }, { storageClassName: 'kept' }),
  ];
  expect(await problems(manifests, { ...good, kinds, storage: keeping })).toEqual([
    expect.stringMatching(
      /volumeClaimTemplates\[1\]\.spec\.storageClassName: StorageClass kept keeps volumes .*expected one with reclaimPolicy Delete$/,
    ),
  ]);
  const byDefault = { ...keeping, byDefault: 'kept' };
  expect(await problems([...whole, claim({})], { ...good, kinds, storage: byDefault })).toEqual([
    expect.stringMatching(/PersistentVolumeClaim data: spec\.storageClassName: StorageClass kept keeps/),
  ]);
  // One that the platform brings along.
  const brought = (rest: object) => ({
    ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'own' } },
    ...rest,
  });
  const claims = [...whole, claim({ storageClassName: 'own' })];
  expect(await problems([...claims, brought({})], { ...good, kinds })).toEqual([]);
  expect(await problems([...claims, brought({ reclaimPolicy: 'Retain' })], { ...good, kinds })).toEqual([
    expect.stringMatching(/StorageClass own keeps/),
  ]);
  // Of a volume that is bound by hand, its own policy counts, and it was there before.
  const byHand = claim({ storageClassName: 'kept', volumeName: 'mine' });
  expect(await problems([...whole, byHand], { ...good, kinds, storage: keeping })).toEqual([]);
});

it('reads which StorageClasses keep volumes', () => {
  const list = JSON.stringify({
    items: [
      { metadata: { name: 'a' } },
      { metadata: { name: 'b' }, reclaimPolicy: 'Delete' },
      { metadata: { name: 'c' }, reclaimPolicy: 'Retain' },
    ],
  });
  expect(storageOf(list).keeping).toEqual(new Set(['c']));
});

it('knows the default StorageClass by either annotation', () => {
  const list = (annotations?: object) =>
    JSON.stringify({ items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b', annotations } }] });
  expect(storageOf(list(), 'manual  manual').names).toContain('manual');
  expect(storageOf(list())).toEqual({ names: new Set(['a', 'b']) });
  for (const age of ['', 'beta.'])
    expect(storageOf(list({ [`storageclass.${age}kubernetes.io/is-default-class`]: 'true' })).byDefault).toBe(
      'b',
    );
  expect(
    storageOf(list({ 'storageclass.kubernetes.io/is-default-class': 'false' })).byDefault,
  ).toBeUndefined();
});
