/** The user's own platform (`--platform DIR`) on a cluster, spoken to by its LambdaFunctions, as its profile says. */
import { HarnessError, RefusedError } from '../../../base/errors.ts';
import { freePorts } from '../../../base/ports.ts';
import { processCpuSeconds } from '../../../base/process-cpu.ts';
import type { Abilities } from '../../../chaos/fault.ts';
import type { Guardrails } from '../../../chaos/guardrails/file.ts';
import type { Right } from '../../../chaos/rights.ts';
import { FIRST, Kubernetes, type Way } from '../../../kind/kubernetes.ts';
import type { ByObjects, Profile } from '../../profile.ts';
import { Supervisor } from '../../supervisor.ts';
import type { RunningTarget, Target, TargetRequest } from '../../target.ts';
import { componentDriver, KNATIVE_OWNERS, touched } from '../chaos.ts';
import { clusterDriver } from '../cluster-driver.ts';
import { asFaults, available, nodePorts, refuseUnreachableHost, takeNamespace } from '../common.ts';
import { watchFreeze } from '../freeze.ts';
import { heedingFreezes } from '../heeded-freezes.ts';
import type { Place } from '../place.ts';
import { namedPlaces } from '../places.ts';
import { isReady, type PodWatch, watchPods } from '../pods.ts';
import { NO_RUN, runRights, within } from '../run-rights.ts';
import { shapers } from '../shapers.ts';
import { kindOf, surroundings } from '../surroundings.ts';
import { containerOf, doorOf, doors, ownersOf, withSettings } from './components.ts';
import { type OwnManifests, readManifests } from './manifests.ts';
import { FUNCTIONS, listOf, MONITORING, monitoring } from './monitoring.ts';
import { objectFront } from './object-front.ts';
import { LAMBDA } from './object-tap.ts';
import { type PodTargets, servePodTargets } from './pod-targets.ts';
import { preflight, READ_HERE } from './preflight.ts';
import { recordUndo } from './undo.ts';

/** From whose pod the harness looks at Knative: the platform's own images need not have a shell. */
const LOOKOUT = 'prometheus';
const API_WITHIN_MS = 15_000;

/** @param find throws RefusedError when there is no such place */
/** Knative's own, which a platform that is not ours leaves as it is. Source: Knative's documentation, "Configuring scale bounds", stable-window. */
const STABLE_WINDOW_MS = 60_000;

export function ownPlatform(
  name: Place['target'],
  find: () => Place,
  {
    profile,
    speaks,
    directory,
    guardrails,
  }: {
    profile: Profile;
    speaks: ByObjects;
    directory: string;
    /** Which bound where the platform's objects may go; absent: the cluster is Faultline's own. */
    guardrails?: Guardrails;
  },
): Target {
  let read: OwnManifests | undefined;
  const manifests = () => {
    read ??= readManifests(directory, find().way.kubectl);
    return read;
  };
  return {
    name,
    defects: [],

    async abilities(): Promise<Abilities> {
      const place = find();
      const { objects } = manifests();
      const cluster = new Kubernetes(place.way);
      const problems = await preflight(
        objects,
        { ...profile, speaks },
        await surroundings(cluster, place.registry),
        { namespaced: await namespacedKinds(cluster), ...(guardrails ? { guardrails } : {}) },
      );
      problems.push(...nameClashes(manifests(), speaks.namespace));
      if (place.ingress === undefined)
        problems.push({
          file: '--cluster',
          field: 'spec.ingress',
          message: 'missing: functions are called by way of Knative’s ingress; expected url and domain',
        });
      if (problems.length > 0) throw new RefusedError(problems);
      return {
        target: name,
        components: Object.keys(profile.components),
        infrastructure: Object.keys(KNATIVE_OWNERS),
        pausable: [],
        blackhole: { impossible: 'who speaks to whom in a platform of your own is not known' },
        throttle: false,
        objectStore: false,
        cluster: {
          namespace: speaks.namespace,
          owners: namedPlaces(ownersOf(profile, speaks.namespace, manifests())),
          workers: place.nodes.filter(({ worker }) => worker).length,
          cores: place.cores,
          idleWindowMs: () => STABLE_WINDOW_MS,
          machines: place.engine !== undefined,
          readyDoors: Object.keys(profile.components),
          ...{ doors: [], shells: [], shapers: await shapers(place) },
        },
      };
    },

    versions: async () => find().versions,

    async detail() {
      const { nodes, detail } = find();
      const { sha256, objects } = manifests();
      const images = objects.flatMap(({ manifest }) =>
        manifest.kind === 'Deployment'
          ? [[`image ${manifest.metadata.name}`, containerOf(manifest).image ?? '']]
          : [],
      );
      return {
        // Where the cluster's parts come from.
        ...detail,
        nodes: String(nodes.length),
        platform: directory,
        manifests: sha256,
        ...Object.fromEntries(images),
      };
    },

    rules: () =>
      manifests()
        .objects.filter(({ manifest }) => manifest.kind === 'PrometheusRule')
        .map(({ manifest, file }) => ({ file, content: manifest.spec })),

    // Each function is built first, and its operator may look at it every 15 s only.
    patience: { functionsMs: 300_000, functionsAtOnce: 4, quietMs: 60_000 },
    hostAddress: async () => find().hostAddress,
    way: () => find().way,

    runRights(faults, loadPods) {
      const { namespace } = speaks;
      const owners = ownersOf(profile, namespace, manifests());
      const targets = { url: () => '', close: async () => {} };
      const all = [
        ...broughtBy(manifests()),
        ...doors(profile, owners, namespace),
        ...monitoring(find(), NO_RUN, profile, { namespace, owners, targets }),
      ];
      return runRights({ namespace, manifests: all, faults, loadPods, besides: functionRights(namespace) });
    },

    up: (request) => up(request, find(), { profile, speaks, manifests: manifests() }),
  };
}

async function up(
  request: TargetRequest,
  place: Place,
  { profile, speaks, manifests }: { profile: Profile; speaks: ByObjects; manifests: OwnManifests },
): Promise<RunningTarget> {
  const { namespace } = speaks;
  const { way, hostAddress, ingress } = place;
  if (ingress === undefined) throw new HarnessError('no ingress: the preflight let it pass');
  const { kubeconfig } = way;
  const cluster = new Kubernetes(way);
  const recordNamespace = await takeNamespace(cluster, request, way, { namespace, now: false });
  const wanted = broughtBy(manifests);
  const applied = await recordUndo(request.undo, way, cluster, { namespace, recordNamespace }, wanted);

  const owners = ownersOf(profile, namespace, manifests);
  const watched = {
    ...Object.fromEntries(Object.entries(owners).map(([name, { labels }]) => [name, labels])),
    [LOOKOUT]: { app: LOOKOUT },
  };
  const [apiPort] = await freePorts(1);
  const supervisor = new Supervisor(request);
  let pods: PodWatch | undefined;
  let targets: PodTargets | undefined;
  const stop = async (graceMs: number) => {
    await targets?.close();
    await pods?.stop();
    await supervisor.stopAll(graceMs);
  };
  try {
    const kinds = applied.filter(({ kind }) => FIRST.includes(kind));
    const rest = applied.filter(({ kind }) => !FIRST.includes(kind));
    await cluster.apply(kinds);
    // A quota, a policy, a right that is missing: better all at once than in the middle.
    await cluster.rehearse(rest);
    await cluster.apply(rest);
    const reached = new Set(touched(owners));
    const watch = await watchPods(kubeconfig, namespace, watched, request, reached);
    pods = watch;
    targets = await servePodTargets(hostAddress, scrapedPods(profile, watch));
    await cluster.apply([
      ...doors(profile, owners, namespace),
      ...monitoring(place, request, profile, { namespace, owners, targets }),
    ]);
    supervisor.start(apiProxy(way, apiPort));
    await supervisor.ready(API_WITHIN_MS, request.signal);
    const deployments = [
      ...applied
        .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.namespace === namespace)
        .map(({ metadata }) => metadata.name),
      ...MONITORING,
    ];
    await available(
      cluster,
      namespace,
      deployments.map((name) => `deployment/${name}`),
      request.signal,
    );
    await refuseUnreachableHost(cluster, namespace, place, request.webhookUrl);
    const at = await nodePorts(cluster, place, namespace);
    const readyUrl = (component: string) => {
      const door = profile.components[component]?.ready;
      if (door === undefined) throw new HarnessError(`component ${component} has no way in from this host`);
      return `http://${at(doorOf(component))}${door.path}`;
    };
    const endpoints = {
      prometheus: `http://${at('prometheus')}`,
      alertmanager: `http://${at('alertmanager')}`,
      registry: `http://${place.registry.here}`,
      api: `http://127.0.0.1:${apiPort}`,
      ingress: ingress.url,
    };
    const freeze = await watchFreeze(kubeconfig, reached);
    const faults = clusterDriver({
      cluster: await asFaults(cluster, way, namespace, request),
      ...{ watching: cluster, place, namespace, pods: watch, owners, readyUrl },
    });
    const driver = heedingFreezes(faults, freeze, reached);
    const changeable = await withSettings(cluster, Object.keys(profile.components), owners);
    return {
      endpoints,
      components: Object.fromEntries(
        Object.entries(endpoints).map(([name, url]) => [name, new URL(url).host]),
      ),
      drivers: { cluster: driver, components: componentDriver(driver, changeable, LOOKOUT, readyUrl) },
      ownNamespaces: [namespace],
      frozen: freeze.reason,
      front: objectFront(speaks, {
        ...{ kubeconfig, api: endpoints.api },
        ...{ ingress: ingress.url, domain: ingress.domain },
      }),
      pods: () => watch.functions(),
      readyPods: () => watch.functions(isReady),
      podsUnseenMs: watch.unseenMs,
      harnessCpuSeconds: () => processCpuSeconds(supervisor.pid('kubernetes-api')),
      async down() {
        await freeze.stop();
        await stop(1500);
      },
    };
  } catch (error) {
    await stop(500);
    throw error;
  }
}

/** What of the user's manifests goes to the cluster. */
const broughtBy = ({ objects }: OwnManifests) =>
  objects.map(({ manifest }) => manifest).filter(({ kind }) => !READ_HERE.includes(kind));

/** To make functions and hear of them (object-front.ts, object-tap.ts), and to take away what is left of them (undo.ts). */
function functionRights(namespace: string): Right[] {
  const gone = ['list', 'delete', 'patch'];
  return [
    within(namespace, LAMBDA.group, LAMBDA.plural, 'create', 'get', 'watch', ...gone),
    within(namespace, 'batch', 'jobs', 'list', 'watch'),
    within(namespace, 'serving.knative.dev', 'services', ...gone),
    within(namespace, 'apps', 'deployments', ...gone),
    within(namespace, '', 'pods', ...gone),
  ];
}

/** The load asks the API server for functions by way of this, which has the cluster's credentials; nothing else gets through. */
function apiProxy({ kubectl, kubeconfig }: Way, port: number) {
  const path = `/apis/${LAMBDA.group}/${LAMBDA.version}`;
  const accepted = `^${path.replaceAll('.', '[.]')}(/.*)?$`;
  return {
    name: 'kubernetes-api',
    command: kubectl,
    args: [`--kubeconfig=${kubeconfig}`, 'proxy', `--port=${port}`, `--accept-paths=${accepted}`],
    env: {},
    readyUrl: `http://127.0.0.1:${port}${path}`,
    restart: 'never' as const,
    blame: 'harness' as const,
  };
}

/** By name, pods that Prometheus is told of: those of functions, and of each component. */
function scrapedPods({ functionMetrics, components }: Profile, watch: PodWatch) {
  return {
    [FUNCTIONS]: () =>
      watch.functionPods().map(({ pod, address, name }) => ({
        address: `${address}:${functionMetrics?.port}`,
        labels: { pod, function: name },
      })),
    ...Object.fromEntries(
      Object.entries(components).map(([name, { metrics }]) => [
        listOf(name),
        () =>
          watch
            .of(name)
            .flatMap(({ metadata, status }) =>
              status?.podIP === undefined
                ? []
                : [{ address: `${status.podIP}:${metrics.port}`, labels: { pod: metadata?.name ?? '' } }],
            ),
      ]),
    ),
  };
}

async function namespacedKinds(cluster: Kubernetes): Promise<ReadonlySet<string>> {
  const lines = await cluster.apiResources('--namespaced=true', '--no-headers', '--output=wide');
  return new Set(lines.split('\n').flatMap((line) => kindOf(line) ?? []));
}

function nameClashes({ objects }: OwnManifests, namespace: string) {
  return objects
    .filter(({ manifest }) => ['Deployment', 'Service'].includes(manifest.kind))
    .filter(
      ({ manifest }) =>
        manifest.metadata.namespace === namespace && MONITORING.includes(manifest.metadata.name),
    )
    .map(({ manifest, file }) => ({
      file,
      field: `${manifest.kind} ${manifest.metadata.name}: metadata.name`,
      message: 'Faultline brings one of that name into this namespace: expected another name',
    }));
}
