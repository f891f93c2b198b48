import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Right, rightsManifests } from '../../chaos/rights.ts';
import { loadProfile } from '../profile.ts';
import type { RunRights } from '../target.ts';
import { questionsOf } from './missing-rights.ts';
import { ownPlatform } from './own/index.ts';
import type { Place } from './place.ts';
import { referencePlatform } from './reference.ts';
import { beforehand, runRights } from './run-rights.ts';

const image = 'inside:5000/image:1';
const place = {
  ...{ target: 'cluster', hostAddress: '10.0.0.9', registry: { here: 'a:5000', inside: 'inside:5000' } },
  nodes: [{ name: 'one', address: '10.0.0.1', worker: true }],
  images: {
    ...{ services: image, kubeStateMetrics: image, platform: image },
    ...{ objectStore: image, kaniko: image, functionBase: image },
  },
  way: { kubectl: 'kubectl', kubeconfig: 'kubeconfig' },
} as Partial<Place> as Place;

/** `verb resource.group[ of name][ in namespace]` of each. */
const lines = ({ rights }: RunRights) =>
  questionsOf(rights).map(
    ({ verb, resource, group, object, namespace }) =>
      `${verb} ${resource}.${group}${object ? ` of ${object}` : ''}${namespace ? ` in ${namespace}` : ''}`,
  );

const scaling: Right = {
  ...{ namespace: 'kube-system', group: 'apps', resources: ['deployments/scale'], names: ['coredns'] },
  verbs: ['patch'],
};

describe('what a run of the reference platform needs', () => {
  const target = referencePlatform('cluster', () => place);
  const whole = (faults: Right[] = [], loadPods = false) => target.runRights?.(faults, loadPods) as RunRights;
  const wanted = lines(whole([scaling]));

  it('has what is deployed, by kind, and what is not in its namespace by its name', () => {
    expect(wanted).toEqual(
      expect.arrayContaining([
        'create deployments.apps in knative-lambda',
        'patch statefulsets.apps in knative-lambda',
        'create poddisruptionbudgets.policy in knative-lambda',
        'create secrets. in knative-lambda',
        'create customresourcedefinitions.apiextensions.k8s.io',
        'delete customresourcedefinitions.apiextensions.k8s.io of lambdafunctions.lambda.knative.io',
        'watch customresourcedefinitions.apiextensions.k8s.io of lambdafunctions.lambda.knative.io',
        'delete clusterroles.rbac.authorization.k8s.io of knative-lambda-prometheus',
      ]),
    );
    // What goes with the namespace is not deleted one by one.
    expect(wanted).not.toContain('delete secrets. in knative-lambda');
  });

  it('has what its roles give, as nobody can give what he does not have', () => {
    expect(wanted).toEqual(
      expect.arrayContaining([
        'delete jobs.batch in knative-lambda',
        'create services.serving.knative.dev in knative-lambda',
        'get nodes/metrics. of one',
      ]),
    );
  });

  it('has what faults need, the account as which they act, and its roles, which are taken away', () => {
    expect(wanted).toEqual(
      expect.arrayContaining([
        'patch deployments/scale.apps of coredns in kube-system',
        'impersonate serviceaccounts. of faultline-faults-knative-lambda in knative-lambda',
        'create roles.rbac.authorization.k8s.io in kube-system',
        'delete rolebindings.rbac.authorization.k8s.io of faultline-faults-knative-lambda in kube-system',
      ]),
    );
    expect(lines(whole()).filter((line) => line.includes('kube-system'))).toEqual([]);
  });

  it('has what watches and asks, and of a load in pods their Job', () => {
    expect(wanted).toEqual(
      expect.arrayContaining([
        'watch namespaces.',
        'delete namespaces. of knative-lambda',
        'watch pods. in knative-lambda',
        'create pods/exec. in knative-lambda',
      ]),
    );
    expect(wanted).not.toContain('patch jobs.batch in knative-lambda');
    expect(lines(whole([], true))).toContain('patch jobs.batch in knative-lambda');
  });

  it('gives what a run can do without, and does not ask for it', () => {
    const { rights, wished, made } = whole();
    const given = beforehand({ rights, wished, made }).flatMap(({ resources }) => resources);
    expect(given).toEqual(expect.arrayContaining(['pods/log', 'events']));
    expect(rights.flatMap(({ resources }) => resources)).not.toContain('pods/log');
  });

  it('asks nothing twice, and so little that it costs nearly nothing', () => {
    expect(new Set(wanted).size).toBe(wanted.length);
    expect(wanted.length).toBeLessThan(150);
  });
});

it('of a platform of your own, what its manifests have and its functions need', () => {
  const directory = mkdtempSync(join(tmpdir(), 'faultline-own-rights-'));
  try {
    writeFileSync(
      join(directory, 'all.yaml'),
      `{ apiVersion: v1, kind: Namespace, metadata: { name: knative-lambda } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: knative-lambda-operator, namespace: knative-lambda }
spec: { selector: { matchLabels: { app: o } }, template: { spec: { containers: [{ name: o }] } } }
---
{ apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: { name: r, namespace: knative-lambda }, spec: {} }
`,
    );
    const profile = loadProfile('knative-lambda-operator');
    if (profile.speaks.by !== 'objects') throw new Error('it speaks by objects');
    const target = ownPlatform('cluster', () => place, { profile, speaks: profile.speaks, directory });
    const wanted = lines(target.runRights?.([], false) as RunRights);
    expect(wanted).toEqual(
      expect.arrayContaining([
        'create deployments.apps in knative-lambda',
        'create lambdafunctions.lambda.knative.io in knative-lambda',
        'watch jobs.batch in knative-lambda',
        'list services.serving.knative.dev in knative-lambda',
        // Of what measures it.
        'create configmaps. in knative-lambda',
        'get nodes/metrics. of one',
      ]),
    );
    expect(wanted.filter((line) => /prometheusrule/.test(line))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('runRights', () => {
  const object = (apiVersion: string, kind: string, metadata: { name: string; namespace?: string }) => ({
    ...{ apiVersion, kind, metadata },
  });
  const of = (...manifests: Parameters<typeof runRights>[0]['manifests']) =>
    runRights({ namespace: 'lab', manifests, faults: [], loadPods: false, besides: [] });

  it.each([
    ['networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies.networking.k8s.io'],
    ['networking.k8s.io/v1', 'Ingress', 'ingresses.networking.k8s.io'],
    ['v1', 'Endpoints', 'endpoints.'],
    ['batch/v1', 'CronJob', 'cronjobs.batch'],
  ])('knows the plural of %s/%s', (apiVersion, kind, plural) => {
    expect(lines(of(object(apiVersion, kind, { name: 'x', namespace: 'lab' })))).toContain(
      `patch ${plural} in lab`,
    );
  });

  it('guesses no plural of kinds that are not of Kubernetes, and judges no right without bounds', () => {
    const rules = [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { nonResourceURLs: ['/metrics'], verbs: ['get'] },
    ];
    const role = object('rbac.authorization.k8s.io/v1', 'Role', { name: 'x', namespace: 'lab' });
    const sheep = object('example.org/v1', 'Sheep', { name: 'x', namespace: 'lab' });
    expect(lines(of(sheep, { ...role, rules }))).toEqual(lines(of(role)));
  });

  it('is given beforehand in no namespace that the run makes', () => {
    const whole = of(
      object('v1', 'Namespace', { name: 'extra' }),
      object('v1', 'ConfigMap', { name: 'x', namespace: 'extra' }),
      object('v1', 'ConfigMap', { name: 'x', namespace: 'default' }),
    );
    expect(whole.made).toEqual(['lab', 'extra']);
    expect(lines(whole)).toContain('create configmaps. in extra');
    const kinds = rightsManifests(beforehand(whole), { name: 'a', namespace: 'ops' }).map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}`,
    );
    expect(kinds).toEqual(['ClusterRole ', 'ClusterRoleBinding ', 'Role default', 'RoleBinding default']);
  });
});
