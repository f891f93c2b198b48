import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseManifests } from './kubernetes.ts';
import { ON_CONTROL_PLANE, onControlPlane, onEveryNode, TOLERATES_CONTROL_PLANE } from './placement.ts';

const ingress = () =>
  parseManifests(readFileSync(new URL('./manifests/ingress.yaml', import.meta.url), 'utf8'));

describe('placement', () => {
  it('keeps the ingress off the workers, and everything else as it was', () => {
    const manifests = onControlPlane(ingress());
    const deployments = manifests.filter(({ kind }) => kind === 'Deployment');
    expect(deployments).toHaveLength(1);
    expect(deployments[0]).toMatchObject({ spec: { template: { spec: ON_CONTROL_PLANE } } });
    expect(manifests.filter(({ kind }) => kind !== 'Deployment')).toEqual(
      ingress().filter(({ kind }) => kind !== 'Deployment'),
    );
  });

  it('keeps requests small enough for all of them', () => {
    const container = {
      name: 'c',
      resources: { requests: { cpu: '300m', memory: '1Gi' }, limits: { cpu: '1' } },
    };
    const manifests = onControlPlane([
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { template: { spec: { containers: [container, { name: 'asks for nothing' }] } } },
      },
    ]);
    expect(manifests[0]).toMatchObject({
      spec: {
        template: {
          spec: {
            containers: [
              { resources: { requests: { cpu: '100m', memory: '1Gi' }, limits: { cpu: '1' } } },
              { name: 'asks for nothing' },
            ],
          },
        },
      },
    });
  });

  it('lets a DaemonSet stand on every node', () => {
    const daemons = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'd' },
      spec: { template: { spec: {} } },
    };
    expect(onEveryNode([daemons])[0]?.spec).toEqual({
      template: { spec: { tolerations: [TOLERATES_CONTROL_PLANE] } },
    });
  });
});
