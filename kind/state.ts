/**
 * What `make cluster` leaves behind for those who use the cluster: where its tools are, and the names of the images on it.
 * Beside the kubeconfig; it goes with the cluster.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RefusedError } from '../base/errors.ts';
import { kindCache } from './cache.ts';
import { CLUSTER, kubeconfigPath } from './cluster.ts';

const ClusterState = z.strictObject({
  kubectl: z.string(),
  /** Value of DOCKER_HOST; absent: the client's own default. */
  engine: z.string().optional(),
  nodes: z.array(z.strictObject({ name: z.string(), address: z.string() })).min(1),
  /** This host as the cluster reaches it: the gateway of the engine's network. */
  hostAddress: z.string(),
  /** Where this host reaches the cluster's registry: 127.0.0.1:port. */
  registry: z.string(),
  /** The platform's image of the checkout that made this (platform-image.ts). */
  platformTag: z.string(),
  /** Of each part, where its programs come from: kind/published.ts. */
  provenance: z.record(z.string(), z.string()),
  /** Names inside the cluster. */
  images: z.strictObject({
    platform: z.string(),
    services: z.string(),
    objectStore: z.string(),
    kubeStateMetrics: z.string(),
    kaniko: z.string(),
    functionBase: z.string(),
  }),
});
export type ClusterState = z.infer<typeof ClusterState>;

const stateFile = () => join(kindCache(), `${CLUSTER}.json`);

export function writeClusterState(state: ClusterState): void {
  writeFileSync(stateFile(), `${JSON.stringify(state, null, 1)}\n`);
}

/** @throws RefusedError when there is no cluster, with what makes one. */
export function readClusterState(): ClusterState {
  const parsed =
    existsSync(stateFile()) && existsSync(kubeconfigPath())
      ? ClusterState.safeParse(JSON.parse(readFileSync(stateFile(), 'utf8')))
      : undefined;
  if (parsed?.success) return parsed.data;
  throw new RefusedError([
    {
      file: '--target kind',
      message:
        'there is no finished cluster: run `make cluster` first (make engine where no container engine runs)',
    },
  ]);
}

export function removeClusterState(): void {
  rmSync(stateFile(), { force: true });
}
