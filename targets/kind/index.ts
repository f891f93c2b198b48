/** Target `kind`: the reference platform on the kind cluster that `make cluster` made, with the real services around it. */
import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError, RefusedError } from '../../base/errors.ts';
import { freePorts } from '../../base/ports.ts';
import { processCpuSeconds } from '../../base/process-cpu.ts';
import type { Abilities } from '../../chaos/fault.ts';
import { throttleClient } from '../../chaos/throttle/client.ts';
import { kubeconfigPath } from '../../kind/cluster.ts';
import { Kubernetes, type Manifest, parseManifests } from '../../kind/kubernetes.ts';
import { ADD_ONS, PINS, SERVICES } from '../../kind/pins.ts';
import { platformTag } from '../../kind/platform-image.ts';
import { REGISTRY } from '../../kind/registry.ts';
import { type ClusterState, readClusterState } from '../../kind/state.ts';
import { exec } from '../../tools/exec.ts';
import { DEFECTS } from '../defects.ts';
import { Supervisor } from '../supervisor.ts';
import type { Endpoints, RunningTarget, Target, TargetRequest } from '../target.ts';
import { throttleProxy } from '../throttle.ts';
import { componentDriver, INFRASTRUCTURE, networkDriver } from './chaos.ts';
import { clusterDriver } from './cluster-driver.ts';
import { watchFreeze } from './freeze.ts';
import { COMPONENTS, NAMESPACE, platformManifests, watched } from './platform.ts';
import { isReady, type PodWatch, watchPods } from './pods.ts';
import {
  alertmanager,
  kubeStateMetrics,
  objectStore,
  prometheus,
  RABBITMQ_USER,
  rabbitmq,
} from './services.ts';
import { shapers } from './shapers.ts';

const UP_WITHIN_S = 180;
const BROKER_NODES = 3;
/** Whose pods' comings and goings are in the journal. */
const WATCHED = [...COMPONENTS, 'rabbitmq', 'object-store'];

export const kindTarget: Target = {
  name: 'kind',
  defects: DEFECTS,

  async abilities(): Promise<Abilities> {
    const state = readClusterState();
    refuseStale(state);
    return {
      target: 'kind',
      components: [...COMPONENTS, 'rabbitmq'],
      infrastructure: INFRASTRUCTURE,
      pausable: [],
      blackhole: ['rabbitmq'],
      throttle: true,
      cluster: { workers: state.nodes.length - 1, doors: [...COMPONENTS], shapers: await shapers(state) },
    };
  },

  versions: async () =>
    Object.fromEntries(
      Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES }).map(([name, { version }]) => [name, version]),
    ),

  async detail() {
    const { images, nodes } = readClusterState();
    const named = Object.entries(images).map(([name, image]) => [`image ${name}`, image]);
    return { nodes: String(nodes.length), images: 'source (make cluster)', ...Object.fromEntries(named) };
  },

  // A function is built by Kaniko first: 11 s of a core each. More of them at once starve what is to be tested.
  patience: { functionsMs: 180_000, functionsAtOnce: 4, quietMs: 60_000 },
  hostAddress: async () => readClusterState().hostAddress,

  async up(request: TargetRequest): Promise<RunningTarget> {
    const state = readClusterState();
    refuseStale(state);
    const { kubectl } = state;
    const kubeconfig = kubeconfigPath();
    const cluster = new Kubernetes(kubectl);
    if (await isTaken(cluster))
      throw new HarnessError(
        `the cluster has a namespace ${NAMESPACE} already, of another run or of yours: wait until that is over, or delete it`,
      );
    request.undo.record('deploy the platform', {
      ...{ op: 'delete-object', kubectl, kubeconfig, object: `namespace/${NAMESPACE}` },
    });

    // What Prometheus needs of the nodes has no namespace to go with.
    for (const kind of ['clusterrole', 'clusterrolebinding'])
      request.undo.record('let Prometheus scrape the nodes', {
        ...{ op: 'delete-object', kubectl, kubeconfig, object: `${kind}/${NAMESPACE}-prometheus` },
      });

    const [throttlePort, controlPort] = await freePorts(2);
    const supervisor = new Supervisor(request);
    supervisor.start(
      throttleProxy({
        ...{ host: state.hostAddress, port: throttlePort, control: controlPort },
        upstream: state.registry,
      }),
    );
    let pods: PodWatch | undefined;
    try {
      await supervisor.ready(10_000, request.signal);
      await cluster.apply(ground());
      pods = await watchPods(kubeconfig, NAMESPACE, WATCHED, request.onEvent);
      const password = randomBytes(12).toString('hex');
      await cluster.apply(services(state, request, password));
      await brokerWhole(cluster, request);
      await cluster.apply(
        platformManifests({
          ...{ images: state.images, request, pullRegistry: REGISTRY },
          pushRegistry: `${state.hostAddress}:${throttlePort}`,
        }),
      );
      await available(cluster, request);
      const { endpoints, readyUrl } = await waysIn(cluster, state, password);
      const watch = pods;
      const freeze = await watchFreeze(kubeconfig, NAMESPACE);
      const driver = clusterDriver({ cluster, kubeconfig, state, pods, readyUrl });
      return {
        endpoints,
        components: Object.fromEntries(
          Object.entries(endpoints).map(([name, url]) => [name, new URL(url).host]),
        ),
        drivers: {
          cluster: driver,
          components: componentDriver(driver, state.images.platform, readyUrl),
          network: networkDriver(driver),
          throttle: throttleClient(
            `http://127.0.0.1:${controlPort}/`,
            `http://${state.hostAddress}:${throttlePort}`,
          ),
        },
        ownNamespaces: [NAMESPACE],
        frozen: freeze.reason,
        tapQueue: 'quorum',
        pods: () => watch.functions(),
        readyPods: () => watch.functions(isReady),
        harnessCpuSeconds: () => processCpuSeconds(supervisor.pid('registry-throttle')),
        async down() {
          await keepLogs(kubectl, request.logDirectory);
          await freeze.stop();
          await watch.stop();
          await supervisor.stopAll(1500);
        },
      };
    } catch (error) {
      await keepLogs(kubectl, request.logDirectory).catch(() => {});
      await pods?.stop();
      await supervisor.stopAll(500);
      throw error;
    }
  },
};

/** One that a run before this one left behind on its way out is waited for. */
async function isTaken(cluster: Kubernetes): Promise<boolean> {
  const path = '--output=jsonpath={.metadata.name} {.status.phase}';
  const look = () => cluster.do('get', 'namespace', NAMESPACE, '--ignore-not-found', path);
  const found = await look();
  if (!found.endsWith('Terminating')) return found !== '';
  await cluster
    .do('wait', '--for=delete', `namespace/${NAMESPACE}`, `--timeout=${UP_WITHIN_S}s`)
    .catch(() => {});
  return (await look()) !== '';
}

/** @throws RefusedError when the cluster runs another platform than this checkout has. */
function refuseStale(state: ClusterState): void {
  if (state.platformTag === platformTag()) return;
  throw new RefusedError([
    {
      file: '--target kind',
      message:
        "the cluster has another state of the platform's code than this checkout: run `make cluster`, which brings it there",
    },
  ]);
}

function ground(): Manifest[] {
  return parseManifests(readFileSync(join(import.meta.dirname, 'manifests/platform.yaml'), 'utf8'));
}

function services(state: ClusterState, request: TargetRequest, password: string): Manifest[] {
  const { images } = state;
  const where = { namespace: NAMESPACE, image: images.services };
  return [
    ...rabbitmq({
      ...where,
      replicas: BROKER_NODES,
      password,
      cookie: randomBytes(12).toString('hex'),
      statisticsMs: Math.max(1000, request.scrapeMs),
    }),
    ...objectStore({
      ...{ namespace: NAMESPACE, image: images.objectStore },
      ...{ access: 'faultline', secret: randomBytes(16).toString('hex') },
    }),
    ...alertmanager({ ...where, webhookUrl: request.webhookUrl, timeScale: request.timeScale }),
    ...kubeStateMetrics({ namespace: NAMESPACE, image: images.kubeStateMetrics }),
    ...prometheus({
      ...where,
      ...{ nodes: state.nodes.map(({ name }) => name), kubeStateMetrics: true },
      ...{ rules: request.rules, scrapeMs: request.scrapeMs, evaluationMs: request.evaluationMs },
      timeScale: request.timeScale,
      targets: [
        ...COMPONENTS.map((name) => ({
          ...{ job: `knative-lambda-${name}`, address: `${watched(name)}:8080`, path: '/metrics' },
        })),
        // Each node tells of the queues that it leads.
        ...Array.from({ length: BROKER_NODES }, (_, i) => ({
          ...{ job: 'rabbitmq', address: `rabbitmq-${i}.rabbitmq-nodes:15692`, path: '/metrics/per-object' },
        })),
      ],
    }),
  ];
}

/**
 * A queue gets its members when it is declared, from the nodes that are there then: with two, the loss of one would be the loss
 * of the queue. So the platform comes when the broker is whole.
 */
async function brokerWhole(cluster: Kubernetes, request: TargetRequest): Promise<void> {
  const inside = (...args: string[]) => {
    request.signal.throwIfAborted();
    return cluster.do('--namespace', NAMESPACE, ...args);
  };
  await inside('rollout', 'status', 'statefulset/rabbitmq', `--timeout=${UP_WITHIN_S}s`);
  const wait = `/usr/lib/rabbitmq/bin/rabbitmqctl --longnames --node "$RABBITMQ_NODENAME" await_online_nodes ${BROKER_NODES} --timeout ${UP_WITHIN_S}`;
  await inside('exec', 'rabbitmq-0', '--', 'sh', '-c', wait);
}

/** @throws HarnessError naming what does not become Ready. */
async function available(cluster: Kubernetes, request: TargetRequest): Promise<void> {
  const inside = (...args: string[]) => {
    request.signal.throwIfAborted();
    return cluster.do('--namespace', NAMESPACE, ...args);
  };
  const deadline = performance.now() + UP_WITHIN_S * 1000;
  for (const owner of DEPLOYMENTS.map((name) => `deployment/${name}`)) {
    const left = Math.max(1, Math.round((deadline - performance.now()) / 1000));
    await inside('rollout', 'status', owner, `--timeout=${left}s`);
  }
}

const DEPLOYMENTS = ['object-store', 'alertmanager', ...COMPONENTS, 'prometheus'];

interface WaysIn {
  endpoints: Endpoints;
  /** URL of a component of the platform that answers 200 when it serves. */
  readyUrl(component: string): string;
}

async function waysIn(cluster: Kubernetes, state: ClusterState, password: string): Promise<WaysIn> {
  const text = await cluster.do('--namespace', NAMESPACE, 'get', 'services', '--output=json');
  const { items } = JSON.parse(text) as {
    items: { metadata: { name: string }; spec: { ports: { nodePort?: number }[] } }[];
  };
  // The control plane stays when a worker is lost.
  const node = state.nodes[0]?.address;
  const at = (service: string) => {
    const port = items
      .find((item) => item.metadata.name === service)
      ?.spec.ports.find((p) => p.nodePort)?.nodePort;
    if (port === undefined) throw new HarnessError(`service ${service} has no port of the node`);
    return `${node}:${port}`;
  };
  const watchedAt = new Map(COMPONENTS.map((name) => [name as string, at(watched(name))]));
  return {
    endpoints: {
      receiver: `http://${at('receiver')}`,
      gateway: `http://${at('gateway')}`,
      operator: `http://${at('operator')}`,
      prometheus: `http://${at('prometheus')}`,
      alertmanager: `http://${at('alertmanager')}`,
      registry: `http://${state.registry}`,
      broker: `amqp://${RABBITMQ_USER}:${password}@${at('rabbitmq-harness')}`,
    },
    readyUrl(component) {
      const address = watchedAt.get(component);
      if (address === undefined)
        throw new HarnessError(`component ${component} has no way in from this host`);
      return `http://${address}/readyz`;
    },
  };
}

const ALL_OF_IT = ['--all-containers', '--tail=-1', '--prefix', '--ignore-errors', '--max-log-requests=50'];

/** The components' logs, the namespace's events and its pods, into the bundle. Never throws: evidence that can not be had is missing. */
async function keepLogs(kubectl: string, directory: string): Promise<void> {
  const keep = async (file: string, ...args: string[]) => {
    const out = createWriteStream(join(directory, file));
    const all = [`--kubeconfig=${kubeconfigPath()}`, '--namespace', NAMESPACE, ...args];
    await exec(kubectl, all, { timeoutMs: 20_000, onOutput: (text) => out.write(text) });
    await new Promise<void>((resolve) => out.end(resolve));
  };
  for (const name of [...COMPONENTS, 'rabbitmq', 'prometheus', 'alertmanager', 'object-store'])
    await keep(`${name}.log`, 'logs', `--selector=app=${name}`, '--tail=-1', '--prefix', '--ignore-errors');
  await keep('builds.log', 'logs', '--selector=lambda.knative.io/build=true', ...ALL_OF_IT);
  await keep('functions.log', 'logs', '--selector=serving.knative.dev/service', ...ALL_OF_IT);
  await keep('events.txt', 'get', 'events', '--sort-by=.lastTimestamp', '--output=wide');
  await keep('pods.txt', 'get', 'pods', '--output=wide');
}
