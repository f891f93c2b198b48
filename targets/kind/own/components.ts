/** The Deployments of the user's own platform that its profile names: what holds their pods, and the harness's ways in to them. */
import { HarnessError } from '../../../base/errors.ts';
import type { Kubernetes, Manifest } from '../../../kind/kubernetes.ts';
import type { Profile } from '../../profile.ts';
import { KNATIVE_OWNERS, type Owner, type Owners, ownerOf } from '../chaos.ts';
import type { OwnManifests } from './manifests.ts';
import { deploymentOf } from './preflight.ts';

interface Container {
  name: string;
  image?: string;
  command?: string[];
  resources?: { limits?: Record<string, string>; requests?: Record<string, string> };
}

export function containerOf(deployment: Manifest): Container {
  const { template } = deployment.spec as { template: { spec: { containers: [Container] } } };
  return template.spec.containers[0];
}

export function ownersOf(profile: Profile, namespace: string, { objects }: OwnManifests): Owners {
  const own = Object.entries(profile.components).map(([name, { deployment }]): [string, Owner] => {
    const object = deploymentOf(objects, deployment, namespace);
    if (object === undefined)
      throw new HarnessError(`no Deployment ${deployment}: the preflight let it pass`);
    const { replicas = 1, selector } = object.manifest.spec as {
      replicas?: number;
      selector: { matchLabels: Record<string, string> };
    };
    return [name, { object: `deployment/${deployment}`, replicas, namespace, labels: selector.matchLabels }];
  });
  return { ...Object.fromEntries(own), ...KNATIVE_OWNERS };
}

/**
 * With what faults may change of each component, as the cluster has it and not as the manifest does: it writes quantities in its own way
 * (`1024Mi` as `1Gi`), and what is set back is compared with that. What has no memory limit can not be set back to it.
 */
export async function withSettings(
  cluster: Kubernetes,
  components: string[],
  owners: Owners,
): Promise<Owners> {
  const whole = { ...owners };
  for (const name of components) {
    const owner = ownerOf(owners, name);
    const text = await cluster.do('--namespace', owner.namespace, 'get', owner.object, '--output=json');
    const { name: container, image = '', command, resources } = containerOf(JSON.parse(text) as Manifest);
    const memoryLimit = resources?.limits?.memory;
    if (memoryLimit === undefined) continue;
    const memoryRequest = resources?.requests?.memory ?? memoryLimit;
    const settings = { container, image, memoryLimit, memoryRequest, ...(command ? { command } : {}) };
    whole[name] = { ...owner, settings };
  }
  return whole;
}

/** Name of the Service by which the harness reaches a component. */
export const doorOf = (component: string) => `faultline-${component}`;

/** The harness's own ways in to components, also to those that are not ready: they say so themselves. */
export function doors(profile: Profile, owners: Owners, namespace: string): Manifest[] {
  return Object.entries(profile.components).map(([name, { ready, metrics }]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: doorOf(name), namespace },
    spec: {
      ...{ type: 'NodePort', publishNotReadyAddresses: true, selector: owners[name]?.labels },
      // The first is the one that this host uses.
      ports: [
        { name: 'ready', port: ready.port },
        ...(metrics.port === ready.port ? [] : [{ name: 'metrics', port: metrics.port }]),
      ],
    },
  }));
}
