import { describe, expect, it } from 'vitest';
import { COMPONENTS, platformManifests, stableWindowMs } from './platform.ts';

const manifests = platformManifests({
  images: {
    platform: 'inside:5000/platform:1',
    services: 'inside:5000/services:1',
    objectStore: 'inside:5000/store:1',
    kubeStateMetrics: 'inside:5000/ksm:1',
    kaniko: 'inside:5000/kaniko:1',
    functionBase: 'inside:5000/function-base:1',
  },
  pullRegistry: 'inside:5000',
  pushRegistry: '172.18.0.1:4000',
  request: { timeScale: 10, defects: ['metrics-lie'], longestRecoveryMs: 1000 },
});

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as what they are
const find = (kind: string, name: string): any =>
  manifests.find((m) => m.kind === kind && m.metadata.name === name);
const container = (name: string) => find('Deployment', name).spec.template.spec.containers[0];
const env = (name: string): Record<string, string> =>
  Object.fromEntries(container(name).env.map((e: { name: string; value?: string }) => [e.name, e.value]));

describe('the platform on a cluster', () => {
  it('builds with Kaniko by way of the throttle, and is run from where the nodes pull', () => {
    expect(env('builder')).toMatchObject({
      JOBS: 'kaniko',
      REGISTRY_URL: 'http://172.18.0.1:4000',
      FUNCTION_BASE_IMAGE: '172.18.0.1:4000/function-base:1',
    });
    expect(env('operator')).toMatchObject({ FUNCTIONS: 'knative', PULL_REGISTRY: 'inside:5000' });
  });

  it.each(COMPONENTS)(
    '%s has its defects, probes, limits, no rights of root, and one owner of its work',
    (name) => {
      expect(env(name)).toMatchObject({ DEFECTS: 'metrics-lie', QUEUE_TYPE: 'quorum' });
      expect(container(name)).toMatchObject({
        readinessProbe: { httpGet: { path: name === 'gateway' ? '/healthz' : '/readyz' } },
        livenessProbe: { httpGet: { path: '/healthz' } },
        resources: { limits: { memory: expect.any(String) } },
        securityContext: {
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      });
      expect(find('Deployment', name).spec.strategy).toEqual({ type: 'Recreate' });
      // What is not ready gets no client, and is watched.
      expect(find('Service', name).spec.publishNotReadyAddresses).toBe(false);
      expect(find('Service', `${name}-watched`).spec.publishNotReadyAddresses).toBe(true);
    },
  );

  it('takes every secret from a Secret', () => {
    for (const name of COMPONENTS)
      for (const variable of container(name).env)
        if (/AMQP_URL|_KEY$/.test(variable.name)) expect(variable).toHaveProperty('valueFrom.secretKeyRef');
  });

  it('scales the stable window, not below what Knative takes', () => {
    expect([1, 5, 10, 60].map(stableWindowMs)).toEqual([60_000, 12_000, 6000, 6000]);
  });

  it('lets pods leave a lost node in scaled time', () => {
    expect(find('Deployment', 'gateway').spec.template.spec.tolerations).toContainEqual({
      ...{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
      tolerationSeconds: 30,
    });
  });
});
