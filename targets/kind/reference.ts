/** The reference platform on a cluster, with the real services around it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../../base/errors.ts';
import { freePorts } from '../../base/ports.ts';
import { processCpuSeconds } from '../../base/process-cpu.ts';
import type { Abilities } from '../../chaos/fault.ts';
import { throttleClient } from '../../chaos/throttle/client.ts';
import { Kubernetes, type Manifest, parseManifests } from '../../kind/kubernetes.ts';
import { type CommandEndpoints, commandFront } from '../command-front.ts';
import { DEFECTS } from '../defects.ts';
import { componentJob } from '../monitoring.ts';
import { objectDriver } from '../object-store.ts';
import { Supervisor } from '../supervisor.ts';
import type { Endpoints, RunningTarget, Target, TargetRequest } from '../target.ts';
import { throttleProxy } from '../throttle.ts';
import { componentDriver, INFRASTRUCTURE, networkDriver, referenceOwners, touched } from './chaos.ts';
import { clusterDriver } from './cluster-driver.ts';
import {
  asFaults,
  available,
  type Measured,
  nodePorts,
  recordNodeRights,
  refuseTaken,
  refuseUnreachableHost,
  takeNamespace,
  UP_WITHIN_S,
} from './common.ts';
import { watchFreeze } from './freeze.ts';
import { heedingFreezes } from './heeded-freezes.ts';
import { makeLoadPods } from './load-pods.ts';
import { hasControlPlane, type Place, referenceImages } from './place.ts';
import { namedPlaces } from './places.ts';
import { COMPONENTS, NAMESPACE, platformManifests, stableWindowMs, watched } from './platform.ts';
import { isReady, type PodWatch, watchPods } from './pods.ts';
import { NO_RUN, runRights, within } from './run-rights.ts';
import {
  alertmanager,
  BUCKET,
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

/** @param find throws RefusedError when there is no such place */
export function referencePlatform(name: Place['target'], find: () => Place): Target {
  return {
    name,
    defects: DEFECTS,

    async abilities(): Promise<Abilities> {
      const place = find();
      return {
        target: name,
        components: [...COMPONENTS, 'rabbitmq'],
        infrastructure: INFRASTRUCTURE,
        pausable: [],
        blackhole: ['rabbitmq'],
        throttle: true,
        objectStore: true,
        cluster: {
          namespace: NAMESPACE,
          owners: namedPlaces(referenceOwners(referenceImages(place).platform)),
          workers: place.nodes.filter(({ worker }) => worker).length,
          cores: place.cores,
          machines: place.engine !== undefined,
          readyDoors: [...COMPONENTS],
          idleWindowMs: stableWindowMs,
          ...{ doors: [...COMPONENTS], shells: [...COMPONENTS, 'rabbitmq'], shapers: await shapers(place) },
        },
      };
    },

    versions: async () => find().versions,

    async detail() {
      const { nodes, detail } = find();
      return { nodes: String(nodes.length), ...detail };
    },

    // A function is built by Kaniko first: seconds of a core each. More of them at once starve what is to be tested.
    patience: { functionsMs: 180_000, functionsAtOnce: 4, quietMs: 60_000 },
    hostAddress: async () => find().hostAddress,
    way: () => find().way,

    runRights: (faults, loadPods) =>
      runRights({
        ...{ namespace: NAMESPACE, manifests: manifestsOf(find()), faults, loadPods },
        // The broker must be whole before the platform comes.
        besides: [within(NAMESPACE, 'apps', 'statefulsets', 'get', 'list', 'watch')],
      }),

    up: (request) => up(request, find()),
  };
}

async function up(request: TargetRequest, place: Place): Promise<RunningTarget> {
  const { way, hostAddress } = place;
  const images = referenceImages(place);
  const cluster = new Kubernetes(way);
  // Also where it only would be in the way of another platform: the functions go with their kind.
  await refuseTaken(cluster, CRD);
  const recordNamespace = await takeNamespace(cluster, request, way, { namespace: NAMESPACE, now: true });
  // In the reverse order: first the namespace with its functions, then what they are.
  request.undo.record('deploy the platform', { op: 'delete-object', ...way, object: CRD });
  recordNamespace();
  await recordNodeRights(cluster, request.undo, way, NAMESPACE);

  const [throttlePort, controlPort] = await freePorts(2);
  const supervisor = new Supervisor(request);
  supervisor.start(
    throttleProxy({
      ...{ host: hostAddress, port: throttlePort, control: controlPort },
      upstream: place.registry.here,
    }),
  );
  let pods: PodWatch | undefined;
  try {
    await supervisor.ready(10_000, request.signal);
    await cluster.apply(ground());
    const owners = referenceOwners(images.platform);
    const reached = new Set(touched(owners));
    pods = await watchPods(way.kubeconfig, NAMESPACE, WATCHED, request, reached);
    const password = randomBytes(12).toString('hex');
    const store = { access: 'faultline', secret: randomBytes(16).toString('hex') };
    const below = services(place, request, { password, store });
    const platform = platformManifests({
      ...{ images, request, pullRegistry: place.registry.inside },
      pushRegistry: `${hostAddress}:${throttlePort}`,
    });
    // A quota, a policy, a right that is missing: better all at once than in the middle.
    await cluster.rehearse([...below, ...platform]);
    await cluster.apply(below);
    await brokerWhole(cluster, request);
    await cluster.apply(platform);
    await available(cluster, NAMESPACE, DEPLOYMENTS, request.signal);
    await refuseUnreachableHost(cluster, NAMESPACE, place, request.webhookUrl);
    const { spokenTo, endpoints, readyUrl, storeUrl } = await waysIn(cluster, place, password);
    const watch = pods;
    const freeze = await watchFreeze(way.kubeconfig, reached);
    const faults = clusterDriver({
      cluster: await asFaults(cluster, way, NAMESPACE, request),
      ...{ watching: cluster, place, namespace: NAMESPACE, pods, owners, readyUrl },
    });
    const driver = heedingFreezes(faults, freeze, reached);
    return {
      endpoints,
      components: Object.fromEntries(
        Object.entries(endpoints).map(([name, url]) => [name, new URL(url).host]),
      ),
      drivers: {
        cluster: driver,
        components: componentDriver(driver, owners, 'receiver', readyUrl),
        network: networkDriver(driver),
        objects: objectDriver({ endpoint: storeUrl, bucket: BUCKET, ...store }),
        throttle: throttleClient(`http://127.0.0.1:${controlPort}/`, `http://${hostAddress}:${throttlePort}`),
      },
      ownNamespaces: [NAMESPACE],
      frozen: freeze.reason,
      front: commandFront(spokenTo, 'quorum'),
      loadPods: (count) =>
        makeLoadPods(
          cluster,
          way,
          {
            ...{ namespace: NAMESPACE, image: images.services, runId: request.runId },
            onControlPlane: place.target === 'kind',
          },
          count,
        ),
      pods: () => watch.functions(),
      readyPods: () => watch.functions(isReady),
      podsUnseenMs: watch.unseenMs,
      harnessCpuSeconds: () => processCpuSeconds(supervisor.pid('registry-throttle')),
      async down() {
        await freeze.stop();
        await watch.stop();
        await supervisor.stopAll(1500);
      },
    };
  } catch (error) {
    await pods?.stop();
    await supervisor.stopAll(500);
    throw error;
  }
}

/** Of whatever run. */
function manifestsOf(place: Place): Manifest[] {
  const images = referenceImages(place);
  return [
    ...ground(),
    ...services(place, NO_RUN, { password: '', store: { access: '', secret: '' } }),
    ...platformManifests({ images, request: NO_RUN, pullRegistry: '', pushRegistry: '' }),
  ];
}

function ground(): Manifest[] {
  return parseManifests(readFileSync(join(import.meta.dirname, 'manifests/platform.yaml'), 'utf8'));
}

function services(
  place: Place,
  request: Measured,
  { password, store }: { password: string; store: { access: string; secret: string } },
): Manifest[] {
  const { nodes } = place;
  const images = referenceImages(place);
  const where = { namespace: NAMESPACE, image: images.services };
  const apart = { namespace: NAMESPACE, onControlPlane: hasControlPlane(place) };
  return [
    ...rabbitmq({
      ...where,
      replicas: BROKER_NODES,
      password,
      cookie: randomBytes(12).toString('hex'),
      statisticsMs: Math.max(1000, request.scrapeMs),
    }),
    ...objectStore({ namespace: NAMESPACE, image: images.objectStore, ...store }),
    ...alertmanager({ ...where, ...apart, webhookUrl: request.webhookUrl, timeScale: request.timeScale }),
    ...kubeStateMetrics({ ...apart, image: images.kubeStateMetrics }),
    ...prometheus({
      ...where,
      ...apart,
      ...{ nodes, kubeStateMetrics: true },
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
  storeUrl: string;
}

async function waysIn(cluster: Kubernetes, place: Place, password: string): Promise<WaysIn> {
  const at = await nodePorts(cluster, place, NAMESPACE);
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
      registry: `http://${place.registry.here}`,
    },
    storeUrl: `http://${at('object-store')}`,
    readyUrl(component) {
      const address = watchedAt.get(component);
      if (address === undefined)
        throw new HarnessError(`component ${component} has no way in from this host`);
      return `http://${address}/readyz`;
    },
  };
}
