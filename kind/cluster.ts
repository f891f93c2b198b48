/** A kind cluster of Faultline's own: own name, own kubeconfig file. Nobody's cluster or kubeconfig is touched. */
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HarnessError } from '../base/errors.ts';
import { kindCache, type Tell } from './cache.ts';
import { run } from './command.ts';
import type { Engine } from './engine.ts';
import { gatewayOf } from './engine-place.ts';
import type { NodeImage } from './node-image.ts';
import { workPath } from './work-directory.ts';

export const CLUSTER = 'faultline';

export interface ClusterOptions {
  workers: number;
  /** How long all nodes may take to be Ready, seconds. */
  readyWithinSeconds: number;
  /** Called before a cluster that is there, and will not do, is taken away. Throws to keep it. */
  beforeReplaced(): void;
}

/** File with the cluster's credentials, which only its owner can read. */
export function kubeconfigPath(): string {
  return join(kindCache(), `${CLUSTER}.kubeconfig`);
}

const kubectlPath = () => join(kindCache(), `${CLUSTER}.kubectl`);

/**
 * Copies kubectl beside the kubeconfig: undo logs and reapers name it, and the cache drops what it was built as for a newer one. Whoever runs
 * the one that was there goes on with it.
 * @returns where it is
 */
export function keepKubectl(kubectl: string): string {
  const draft = workPath(kindCache(), 'partial-kubectl');
  copyFileSync(kubectl, draft);
  chmodSync(draft, 0o755);
  renameSync(draft, kubectlPath());
  return kubectlPath();
}

export function clusterConfig(workers: number): string {
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    // As manifests/pod-network.yaml has them.
    networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/16' },
    // Kubernetes 1.34 refuses cgroup v1 unless it is told not to; on cgroup v2 this changes nothing.
    kubeadmConfigPatches: [
      stringify({
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        failCgroupV1: false,
      }),
    ],
    nodes: [{ role: 'control-plane' }, ...Array.from({ length: workers }, () => ({ role: 'worker' }))],
  });
}

/** Makes the cluster unless it is there, whole and as it was asked for. @throws HarnessError with kind's last words */
export async function createCluster(
  engine: Engine,
  image: NodeImage,
  options: ClusterOptions,
  tell: Tell,
): Promise<void> {
  const kind = (args: string[]) => run(image.kind, args, { env: engine.env });
  const ready = [
    'wait',
    '--for=condition=Ready',
    'nodes',
    '--all',
    `--timeout=${options.readyWithinSeconds}s`,
  ];
  const kubectl = (args: string[]) => run(image.kubectl, [`--kubeconfig=${kubeconfigPath()}`, ...args]);
  if ((await kind(['get', 'clusters'])).split('\n').includes(CLUSTER)) {
    // It may have been lost with the cache; without it a healthy cluster looks broken.
    await kind(['export', 'kubeconfig', `--name=${CLUSTER}`, `--kubeconfig=${kubeconfigPath()}`]).catch(
      () => {},
    );
    const nodes = await clusterNodes(engine, image.kind);
    if (
      nodes.length === options.workers + 1 &&
      (await areOf(engine, nodes, image.tag)) &&
      (await areReady(kubectl))
    )
      return tell(`cached   cluster ${CLUSTER}`);
    options.beforeReplaced();
    tell(`repair   cluster ${CLUSTER}: not whole, of another size or of an older image: it is made anew`);
    await kind(['delete', 'cluster', `--name=${CLUSTER}`, `--kubeconfig=${kubeconfigPath()}`]);
  }
  const began = performance.now();
  tell(`started  cluster ${CLUSTER}: 1 control plane, ${options.workers} workers`);
  mkdirSync(kindCache(), { recursive: true });
  const config = join(kindCache(), `${CLUSTER}.yaml`);
  writeFileSync(config, clusterConfig(options.workers));
  await kind([
    'create',
    'cluster',
    `--name=${CLUSTER}`,
    `--image=${image.tag}`,
    `--config=${config}`,
    `--kubeconfig=${kubeconfigPath()}`,
    `--wait=${options.readyWithinSeconds}s`,
  ]);
  await kubectl(ready);
  tell(`done     cluster ${CLUSTER} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
}

/** Names of the nodes, which are the engine's names of their containers; the control plane first. */
export async function clusterNodes(engine: Engine, kind: string): Promise<string[]> {
  const text = await run(kind, ['get', 'nodes', `--name=${CLUSTER}`], { env: engine.env });
  return text
    .split('\n')
    .filter((name) => name.startsWith(`${CLUSTER}-`))
    .sort();
}

/** kind's own mark of its containers. Source: kind v0.30.0, pkg/cluster/internal/providers/docker/constants.go. */
const OF_CLUSTER = ['--quiet', '--filter', `label=io.x-k8s.kind.cluster=${CLUSTER}`];

/** Whether nodes of the cluster are up, by the engine: a kubeconfig may outlast what it is of. */
export async function clusterStands(engine: Engine): Promise<boolean> {
  return (await engine.docker(['ps', ...OF_CLUSTER])).trim() !== '';
}

/** Also those that have ended: an engine that starts anew starts them too, with all that was on them. @returns whether there were any */
export async function removeNodes(engine: Engine): Promise<boolean> {
  const nodes = (await engine.docker(['ps', '--all', ...OF_CLUSTER])).split(/\s+/).filter(Boolean);
  if (nodes.length > 0) await engine.docker(['rm', '--force', '--volumes', ...nodes]);
  return nodes.length > 0;
}

/** The address of a node on the engine's network, which this host reaches. */
export async function nodeAddress(engine: Engine, node: string): Promise<string> {
  const format = '{{(index .NetworkSettings.Networks "kind").IPAddress}}';
  return (await engine.docker(['inspect', '--format', format, node])).trim();
}

/** The address of this host on the engine's network, by which nodes and pods reach it. */
export async function hostAddress(engine: Engine): Promise<string> {
  const address = await gatewayOf(engine, 'kind');
  if (!address) throw new HarnessError("the engine's network kind has no IPv4 gateway");
  return address;
}

async function areOf(engine: Engine, nodes: string[], image: string): Promise<boolean> {
  const images = await engine.docker(['inspect', '--format', '{{.Config.Image}}', ...nodes]);
  return images
    .trim()
    .split('\n')
    .every((name) => name === image);
}

/** A cluster that was begun and not finished, or stopped, has nodes that are not. */
function areReady(kubectl: (args: string[]) => Promise<string>): Promise<boolean> {
  return kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=30s']).then(
    () => true,
    () => false,
  );
}

/** Takes the cluster away, with its kubeconfig. Does nothing where there is none. */
export async function deleteCluster(engine: Engine, kind: string, tell: Tell): Promise<void> {
  await run(kind, ['delete', 'cluster', `--name=${CLUSTER}`, `--kubeconfig=${kubeconfigPath()}`], {
    env: engine.env,
  });
  forgetCluster();
  tell(`done     cluster ${CLUSTER} taken away`);
}

/** Removes the ways to a cluster that is gone. */
export function forgetCluster(): void {
  for (const path of [kubeconfigPath(), kubectlPath()]) rmSync(path, { force: true });
}
