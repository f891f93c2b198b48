/** Chaos Mesh's own manifests, rendered from its chart, with our images. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { built, type Tell } from './cache.ts';
import { run } from './command.ts';
import { type Manifest, parseManifests } from './kubernetes.ts';
import { IMAGES } from './pins.ts';

export const CHAOS_NAMESPACE = 'chaos-mesh';

export interface ChaosImages {
  controller: string;
  daemon: string;
}

/**
 * Rendered once for a set of images and kept: each rendering makes new certificates, and a running controller has read its own.
 *
 * @param chart directory of the chart
 * @param renderChart the command of kind/render-chart
 */
export async function chaosMeshManifests(
  chart: string,
  renderChart: string,
  images: ChaosImages,
  tell: Tell,
): Promise<Manifest[]> {
  const values = chartValues(images);
  const directory = await built(
    {
      name: 'chaos-mesh-manifests',
      inputs: [chart, renderChart, values],
      async build(to) {
        writeFileSync(join(to, 'values.json'), JSON.stringify(values));
        const args = [chart, 'chaos-mesh', CHAOS_NAMESPACE, join(to, 'values.json')];
        writeFileSync(join(to, 'manifests.yaml'), await run(renderChart, args), { mode: 0o600 });
      },
    },
    tell,
  );
  const crds = readdirSync(join(chart, 'crds')).map((file) =>
    readFileSync(join(chart, 'crds', file), 'utf8'),
  );
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CHAOS_NAMESPACE } },
    ...crds.flatMap((text) => parseManifests(text)).map(withPartitionBehavior),
    ...parseManifests(readFileSync(join(directory, 'manifests.yaml'), 'utf8')),
  ];
}

function chartValues({ controller, daemon }: ChaosImages): object {
  return {
    controllerManager: {
      replicaCount: 1,
      resources: { requests: { cpu: '500m', memory: '256Mi' } },
      image: imageValues(controller),
      podChaos: { podFailure: { pauseImage: IMAGES.pause } },
    },
    chaosDaemon: {
      image: imageValues(daemon),
      // Without a request it gets what nobody else wants: a partition of seven pods then took 80 s on two busy cores.
      resources: { requests: { cpu: '250m', memory: '64Mi' } },
      runtime: 'containerd',
      socketPath: '/run/containerd/containerd.sock',
    },
    dashboard: { create: false },
    dnsServer: { create: false },
  };
}

/** `host:port/name:tag` as the chart wants it. */
function imageValues(image: string): { registry: string; repository: string; tag: string } {
  const [, registry, repository, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(image) ?? [];
  if (!registry || !repository || !tag) throw new HarnessError(`no image name: ${image}`);
  return { registry, repository, tag };
}

/**
 * The API module that the controller is built with is a few days newer than the chart: its webhook sets a field that the
 * chart's kinds do not have, which the server drops, and then the webhook refuses every update as a change of the fault.
 */
export function withPartitionBehavior(crd: Manifest): Manifest {
  const add = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(add);
    if (typeof value !== 'object' || value === null) return;
    const { properties } = value as { properties?: Record<string, unknown> };
    // A NetworkChaos, wherever it stands; and a rule of a PodNetworkChaos.
    if (properties?.direction && (properties.externalTargets || properties.ipsets))
      properties.partitionBehavior ??= { type: 'string' };
    Object.values(value).forEach(add);
  };
  add(crd.spec);
  return crd;
}
