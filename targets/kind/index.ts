/** Target `kind`: the reference platform on the kind cluster that `make cluster` made, with the real services around it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../../base/errors.ts';
import { freePorts } from '../../base/ports.ts';
import { processCpuSeconds } from '../../base/process-cpu.ts';
import type { Abilities } from '../../chaos/fault.ts';
import { throttleClient } from '../../chaos/throttle/client.ts';
import { kubeconfigPath } from '../../kind/cluster.ts';
import { Kubernetes, type Manifest, parseManifests } from '../../kind/kubernetes.ts';
import { REGISTRY } from '../../kind/registry.ts';
import { type ClusterState, readClusterState } from '../../kind/state.ts';
import { type CommandEndpoints, commandFront } from '../command-front.ts';
import { DEFECTS } from '../defects.ts';
import { componentJob } from '../monitoring.ts';
import { Supervisor } from '../supervisor.ts';
import type { Endpoints, RunningTarget, Target, TargetRequest } from '../target.ts';
import { throttleProxy } from '../throttle.ts';
import { componentDriver, INFRASTRUCTURE, networkDriver, placesOf, referenceOwners } from './chaos.ts';
import { clusterDriver } from './cluster-driver.ts';
import {
  asFaults,
  available,
  clusterVersions,
  currentState,
  keepLogs,
  nodePorts,
  recordNodeRights,
  refuseTaken,
  UP_WITHIN_S,
} from './common.ts';
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

const BROKER_NODES = 3;
const CRD = 'customresourcedefinition.apiextensions.k8s.io/lambdafunctions.lambda.knative.io';
const labelled = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, { app: name }]));
/** Whose pods' comings and goings are in the journal. */
const WATCHED = labelled([...COMPONENTS, 'rabbitmq', 'object-store']);
/** Whose logs are kept. */
const LOGGED = { ...WATCHED, ...labelled(['prometheus', 'alertmanager']) };

export const kindTarget: Target = {
  name: 'kind',
  defects: DEFECTS,

  async abilities(): Promise<Abilities> {
    const state = currentState();
    return {
      target: 'kind',
      components: [...COMPONENTS, 'rabbitmq'],
      infrastructure: INFRASTRUCTURE,
      pausable: [],
      blackhole: ['rabbitmq'],
      throttle: true,
      cluster: {
        namespace: NAMESPACE,
        owners: placesOf(referenceOwners(state.images.platform)),
        workers: state.nodes.length - 1,
        ...{ doors: [...COMPONENTS], shells: [...COMPONENTS, 'rabbitmq'], shapers: await shapers(state) },
      },
    };
  },

  versions: async () => clusterVersions(),

  async detail() {
    const { images, nodes } = readClusterState();
    const named = Object.entries(images).map(([name, image]) => [`image ${name}`, image]);
    return { nodes: String(nodes.length), images: 'source (make cluster)', ...Object.fromEntries(named) };
  },

  // A function is built by Kaniko first: 11 s of a core each. More of them at once starve what is to be tested.
  patience: { functionsMs: 180_000, functionsAtOnce: 4, quietMs: 60_000 },
  hostAddress: async () => readClusterState().hostAddress,

  async up(request: TargetRequest): Promise<RunningTarget> {
    const state = currentState();
    const { kubectl } = state;
    const kubeconfig = kubeconfigPath();
    const way = { kubectl, kubeconfig };
    const cluster = new Kubernetes(kubectl);
    await refuseTaken(cluster, NAMESPACE);
    // In the reverse order: first the namespace with its functions, then what they are.
    for (const object of [CRD, `namespace/${NAMESPACE}`])
      request.undo.record('deploy the platform', { op: 'delete-object', ...way, object });
    recordNodeRights(request.undo, way, NAMESPACE);

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
      await available(cluster, NAMESPACE, DEPLOYMENTS, request.signal);
      const { spokenTo, endpoints, readyUrl } = await waysIn(cluster, state, password);
      const watch = pods;
      const freeze = await watchFreeze(kubeconfig, NAMESPACE);
      const owners = referenceOwners(state.images.platform);
      const driver = clusterDriver({
        cluster: await asFaults(cluster, way, NAMESPACE, request),
        ...{ kubeconfig, state, namespace: NAMESPACE, pods, owners, readyUrl },
      });
      return {
        endpoints,
        components: Object.fromEntries(
          Object.entries(endpoints).map(([name, url]) => [name, new URL(url).host]),
        ),
        drivers: {
          cluster: driver,
          components: componentDriver(driver, owners, 'receiver', readyUrl),
          network: networkDriver(driver),
          throttle: throttleClient(
            `http://127.0.0.1:${controlPort}/`,
            `http://${state.hostAddress}:${throttlePort}`,
          ),
        },
        ownNamespaces: [NAMESPACE],
        frozen: freeze.reason,
        front: commandFront(spokenTo, 'quorum'),
        pods: () => watch.functions(),
        readyPods: () => watch.functions(isReady),
        harnessCpuSeconds: () => processCpuSeconds(supervisor.pid('registry-throttle')),
        async down() {
          await keepLogs(kubectl, NAMESPACE, LOGGED, request.logDirectory);
          await freeze.stop();
          await watch.stop();
          await supervisor.stopAll(1500);
        },
      };
    } catch (error) {
      await keepLogs(kubectl, NAMESPACE, LOGGED, request.logDirectory).catch(() => {});
      await pods?.stop();
      await supervisor.stopAll(500);
      throw error;
    }
  },
};

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
          ...{ job: componentJob(name), address: `${watched(name)}:8080`, path: '/metrics' },
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

const DEPLOYMENTS = ['object-store', 'alertmanager', ...COMPONENTS, 'prometheus'].map(
  (name) => `deployment/${name}`,
);

interface WaysIn {
  spokenTo: CommandEndpoints;
  endpoints: Endpoints;
  /** URL of a component of the platform that answers 200 when it serves. */
  readyUrl(component: string): string;
}

async function waysIn(cluster: Kubernetes, state: ClusterState, password: string): Promise<WaysIn> {
  const at = await nodePorts(cluster, state, NAMESPACE);
  const watchedAt = new Map(COMPONENTS.map((name) => [name as string, at(watched(name))]));
  const spokenTo = {
    receiver: `http://${at('receiver')}`,
    gateway: `http://${at('gateway')}`,
    operator: `http://${at('operator')}`,
    broker: `amqp://${RABBITMQ_USER}:${password}@${at('rabbitmq-harness')}`,
  };
  return {
    spokenTo,
    endpoints: {
      ...spokenTo,
      prometheus: `http://${at('prometheus')}`,
      alertmanager: `http://${at('alertmanager')}`,
      registry: `http://${state.registry}`,
    },
    readyUrl(component) {
      const address = watchedAt.get(component);
      if (address === undefined)
        throw new HarnessError(`component ${component} has no way in from this host`);
      return `http://${address}/readyz`;
    },
  };
}
