/** What runs on the cluster beside Kubernetes itself: built from source, pushed to the cluster's registry, applied. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { built, type Tell } from './cache.ts';
import { CHAOS_NAMESPACE, chaosMeshManifests } from './chaos-mesh.ts';
import type { Engine } from './engine.ts';
import { functionBaseImage } from './function-base.ts';
import { ownCommand } from './go-build.ts';
import { type CommandImage, commandImage, commandTag, ensureImage, NOBODY } from './images.ts';
import { knativeManifests } from './knative.ts';
import { type Kubernetes, parseManifests } from './kubernetes.ts';
import { ADD_ONS, CHAOS_DAEMON_SYSTEM, SERVICES } from './pins.ts';
import { onControlPlane, onEveryNode } from './placement.ts';
import type { GetCommands } from './published.ts';
import { REGISTRY, type Registry } from './registry.ts';
import { systemImage } from './system-image.ts';

export type AddOns = Record<keyof typeof ADD_ONS, string>;

/** Builds the commands of add-ons and services: the long part, and the one that needs no cluster. @returns the add-ons' directories */
export async function buildAddOns(get: GetCommands): Promise<AddOns> {
  const directories = {} as AddOns;
  for (const name of Object.keys(ADD_ONS) as (keyof typeof ADD_ONS)[])
    directories[name] = await get(name, ADD_ONS[name]);
  for (const [name, source] of Object.entries(SERVICES)) await get(name, source);
  return directories;
}

/** Images that the platform's builds need, by their names inside the cluster. */
export interface BuildImages {
  /** Kaniko's executor. */
  kaniko: string;
  /** What the image of a function stands on: Node and the platform's runtime. */
  functionBase: string;
}

const pusher =
  (engine: Engine, registry: Registry, tell: Tell) => async (name: string, image: CommandImage) => {
    const tag = commandTag(name, image);
    await ensureImage(engine, tag, tell, () => commandImage(engine, tag, image));
    return registry.push(tag);
  };

/** @param directory in which Kaniko was built */
export async function buildImages(
  engine: Engine,
  registry: Registry,
  directory: string,
  tell: Tell,
): Promise<BuildImages> {
  const push = pusher(engine, registry, tell);
  return {
    kaniko: await push('kaniko', {
      // As root, and at the one place that it does not empty between the stages of a build. Source: Kaniko's deploy/Dockerfile.
      ...{ from: 'scratch', files: [join(directory, 'executor')], directory: '/kaniko' },
      env: { HOME: '/root', USER: 'root', DOCKER_CONFIG: '/kaniko/.docker/' },
      entrypoint: ['/kaniko/executor'],
    }),
    functionBase: await registry.push(await functionBaseImage(engine, tell)),
  };
}

/** Pushes what add-ons and builds need, puts Knative Serving and its ingress on the cluster, and waits until they are available. */
export async function installAddOns(
  engine: Engine,
  cluster: Kubernetes,
  registry: Registry,
  directories: AddOns,
  tell: Tell,
): Promise<BuildImages> {
  const push = pusher(engine, registry, tell);
  const service = (directory: string, command: string): Promise<string> =>
    push(command, {
      ...{ from: 'scratch', files: [join(directory, command)], user: NOBODY },
      entrypoint: [`/usr/local/bin/${command}`],
    });

  const images: Record<string, string> = {};
  for (const path of ADD_ONS.knative.commands)
    images[path] = await service(directories.knative, basename(path));
  const traefik = await service(directories.traefik, 'traefik');
  const forBuilds = await buildImages(engine, registry, directories.kaniko, tell);

  const controller = await service(directories['chaos-mesh'], 'chaos-controller-manager');
  const daemon = await push('chaos-daemon', {
    from: await systemImage(engine, 'chaos-daemon-system', CHAOS_DAEMON_SYSTEM, tell),
    files: [
      ...['chaos-daemon', 'cdh'].map((name) => join(directories['chaos-mesh'], name)),
      join(await built(ownCommand('nsexec', join(import.meta.dirname, 'nsexec')), tell), 'nsexec'),
      join(import.meta.dirname, 'images/pause'),
    ],
  });

  // Without a request it comes last on a busy node, and new services stay unknown there for seconds.
  await cluster.do(
    '--namespace=kube-system',
    'set',
    'resources',
    'daemonset/kube-proxy',
    '--requests=cpu=100m',
  );

  let began = performance.now();
  tell('started  Knative Serving, ingress');
  await cluster
    .apply(onControlPlane(knativeManifests(directories.knative, images, REGISTRY)))
    .catch((error: Error) => {
      if (!/failed calling webhook/.test(error.message)) throw error;
      throw new HarnessError(
        `${error.message}\nKnative's webhook, of an earlier set-up that did not end well, gives no answer: \`make cluster-down\`, then again`,
      );
    });
  const ingress = readFileSync(join(import.meta.dirname, 'manifests/ingress.yaml'), 'utf8');
  await cluster.apply(onControlPlane(parseManifests(ingress, { traefik })));
  await cluster.available('knative-serving', READY_WITHIN_S);
  await cluster.available('ingress', READY_WITHIN_S);
  tell(`done     Knative Serving, ingress (${((performance.now() - began) / 1000).toFixed(0)} s)`);

  began = performance.now();
  tell('started  Chaos Mesh');
  const chart = join(directories['chaos-mesh'], 'chaos-mesh/helm/chaos-mesh');
  const renderChart = join(directories.helm, 'render-chart');
  const manifests = await chaosMeshManifests(chart, renderChart, { controller, daemon }, tell);
  await cluster.apply(onEveryNode(manifests));
  await cluster.available(CHAOS_NAMESPACE, READY_WITHIN_S);
  await cluster.do('rollout', 'status', 'daemonset', '-n', CHAOS_NAMESPACE, `--timeout=${READY_WITHIN_S}s`);
  tell(`done     Chaos Mesh (${((performance.now() - began) / 1000).toFixed(0)} s)`);
  return forBuilds;
}

const READY_WITHIN_S = 180;
