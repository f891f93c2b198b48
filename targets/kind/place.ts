/** A cluster as targets `kind` and `cluster` use it: how this host and the cluster's pods reach each other, and what there is to deploy. */
import { cpus } from 'node:os';
import { RefusedError } from '../../base/errors.ts';
import { kubeconfigPath } from '../../kind/cluster.ts';
import { INGRESS_NODE_PORT } from '../../kind/ingress.ts';
import { DOMAIN } from '../../kind/knative.ts';
import type { Way } from '../../kind/kubernetes.ts';
import { ADD_ONS, PINS, SERVICES } from '../../kind/pins.ts';
import { platformTag } from '../../kind/platform-image.ts';
import { REGISTRY } from '../../kind/registry.ts';
import { type ClusterState, readClusterState } from '../../kind/state.ts';

/** Names inside the cluster. Those of what measures are always there; the others only the reference platform needs. */
export type Images = Pick<ClusterState['images'], 'services' | 'kubeStateMetrics'> &
  Partial<ClusterState['images']>;

export interface Place {
  /** The target's name. */
  target: 'kind' | 'cluster';
  way: Way;
  nodes: { name: string; address: string; worker: boolean }[];
  /** Processors of all nodes. */
  cores: number;
  /** By which this host reaches Services that have a port of the nodes. */
  nodeAddress: string;
  /** This host, as pods reach it. */
  hostAddress: string;
  /** One registry, plain HTTP: `host:port` as this host reaches it, and as images are named inside. */
  registry: { here: string; inside: string };
  images: Images;
  /** Knative's routes: `http://host:port` for this host, and what comes after `<function>.<namespace>.`. The reference platform needs none. */
  ingress?: { url: string; domain: string };
  /** The nodes are containers of this engine (`host`: value of DOCKER_HOST). Absent: they can not be stopped from here. */
  engine?: { host?: string };
  /** Queueing disciplines of the nodes' kernel that the user vouches for; absent: to be tried by the engine. */
  shapers?: string[];
  /** Of all that the cluster is made of, as far as it is known. */
  versions: Record<string, string>;
  detail: Record<string, string>;
}

/** @throws RefusedError when `make cluster` has made none, or one of another platform than this checkout has. */
export function kindPlace(): Place {
  const state = readClusterState();
  if (state.platformTag !== platformTag())
    throw new RefusedError([
      {
        file: '--target kind',
        message:
          "the cluster has another state of the platform's code than this checkout: run `make cluster`, which brings it there",
      },
    ]);
  // The control plane stays when a worker is lost.
  const nodeAddress = state.nodes[0]?.address ?? '';
  const pins = Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES });
  const named = Object.entries(state.images).map(([name, image]) => [`image ${name}`, image]);
  const origins = Object.entries(state.provenance).map(([name, from]) => [`origin of ${name}`, from]);
  return {
    target: 'kind',
    way: { kubectl: state.kubectl, kubeconfig: kubeconfigPath(), madeHere: true },
    nodes: state.nodes.map((node) => ({ ...node, worker: !node.name.endsWith('control-plane') })),
    cores: cpus().length,
    nodeAddress,
    hostAddress: state.hostAddress,
    registry: { here: state.registry, inside: REGISTRY },
    images: state.images,
    ingress: { url: `http://${nodeAddress}:${INGRESS_NODE_PORT}`, domain: DOMAIN },
    engine: state.engine === undefined ? {} : { host: state.engine },
    versions: Object.fromEntries(pins.map(([name, { version }]) => [name, version])),
    detail: Object.fromEntries([...named, ...origins]),
  };
}

/** Where it is in sight: a provider may hide it. */
export const hasControlPlane = ({ nodes }: Place) => nodes.some(({ worker }) => !worker);

/** Those of the reference platform. @throws RefusedError naming those that nobody has named */
export function referenceImages({ images }: Place): ClusterState['images'] {
  const { platform, objectStore, kaniko, functionBase } = images;
  const missing = Object.entries({ platform, objectStore, kaniko, functionBase }).flatMap(([name, image]) =>
    image === undefined ? [name] : [],
  );
  if (missing.length > 0)
    throw new RefusedError(
      missing.map((name) => ({
        file: '--cluster',
        field: `spec.images.${name}`,
        message:
          'missing: the reference platform needs it (see docs/use-your-own-cluster.md); a platform of your own (--platform) does not',
      })),
    );
  return images as ClusterState['images'];
}
