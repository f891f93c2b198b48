/** The drivers that scenarios share with target `local`: components that are held, and a component that is cut off. */
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import type { ChaosObject, ClusterDriver, ComponentDriver, NetworkDriver } from '../../chaos/drivers.ts';
import { ending } from '../../chaos/faults/chaos-mesh.ts';
import { selectorOf } from '../../chaos/faults/pods.ts';
import { shareOf } from '../../chaos/guardrails/share.ts';
import { replicasIn } from '../../chaos/replicas.ts';
import { probeSilence } from '../../chaos/silence-probe.ts';
import { COMPONENTS, MEMORY, NAMESPACE } from './platform.ts';

/** What holds a component's pods. */
export interface Owner {
  /** kind/name, as kubectl has it. */
  object: string;
  replicas: number;
  namespace: string;
  /** Of its pods. */
  labels: Record<string, string>;
  /** Where the platform reaches it; what has none has a way in from this host instead. */
  door?: { host: string; port: number };
  /** What a fault may change of its first container, as it is when it is whole. */
  settings?: Omit<ReturnType<NonNullable<ComponentDriver['settings']>>, 'object'>;
}
export type Owners = Readonly<Record<string, Owner>>;

const KNATIVE = 'knative-serving';
const BROKER_PORT = 5672;

/** Of Knative itself. They can be killed and held, and nothing else. */
export const KNATIVE_OWNERS: Owners = {
  activator: {
    ...{ object: 'deployment/activator', replicas: 1, namespace: KNATIVE, labels: { app: 'activator' } },
    door: { host: `activator-service.${KNATIVE}`, port: 80 },
  },
  autoscaler: {
    ...{ object: 'deployment/autoscaler', replicas: 1, namespace: KNATIVE, labels: { app: 'autoscaler' } },
    door: { host: `autoscaler.${KNATIVE}`, port: 8080 },
  },
};
/** What the reference platform stands on. */
export const INFRASTRUCTURE = ['object-store', ...Object.keys(KNATIVE_OWNERS)];

export function referenceOwners(platformImage: string): Owners {
  const owner = (kind: string, name: string, replicas = 1) => ({
    ...{ object: `${kind}/${name}`, replicas, namespace: NAMESPACE, labels: { app: name } },
  });
  const component = (name: string): Owner => ({
    ...owner('deployment', name),
    settings: { container: name, image: platformImage, ...MEMORY },
  });
  return {
    ...Object.fromEntries(COMPONENTS.map((name) => [name, component(name)])),
    rabbitmq: { ...owner('statefulset', 'rabbitmq', 3), door: { host: 'rabbitmq', port: BROKER_PORT } },
    'object-store': {
      ...owner('deployment', 'object-store'),
      door: { host: 'object-store', port: 9000 },
    },
    ...KNATIVE_OWNERS,
  };
}

/** Where faults act: what holds the components, and the cluster's DNS. */
export const touched = (owners: Owners): ReadonlySet<string> =>
  new Set([...Object.values(owners).map(({ namespace }) => namespace), 'kube-system']);

/** For what is to be known before anything is up: which right goes where. */
export function placesOf(owners: Owners): Record<string, { namespace: string; resource: string }> {
  return Object.fromEntries(
    Object.entries(owners).map(([name, { object, namespace }]) => [
      name,
      { namespace, resource: `${object.split('/')[0]}s` },
    ]),
  );
}

export function ownerOf(owners: Owners, component: string): Owner {
  const owner = owners[component];
  if (owner === undefined) throw new HarnessError(`no component "${component}" on target kind`);
  return owner;
}

/** `namespace/name`, as a node's are named (node-impact.ts): what hits one workload twice is added up. */
export function workloadName(owners: Owners, component: string): string {
  const { object, namespace } = ownerOf(owners, component);
  return `${namespace}/${object.slice(object.indexOf('/') + 1)}`;
}

const cannotPause = () => Promise.reject(new HarnessError('target kind can not pause a process'));

/**
 * @param lookout component from whose pod the harness looks as the platform does
 * @param readyUrl of a component of the platform: 200 when it serves
 */
export function componentDriver(
  cluster: ClusterDriver,
  owners: Owners,
  lookout: string,
  readyUrl: (component: string) => string,
): ComponentDriver {
  const podsOf = async (component: string): Promise<string[]> => {
    const { namespace } = ownerOf(owners, component);
    const which = [selectorOf(cluster, component), '--output=jsonpath={.items[*].metadata.name}'];
    const names = await cluster.kubectl('get', 'pods', `--namespace=${namespace}`, ...which);
    return names.trim().split(/\s+/).filter(Boolean);
  };
  const scaleOf = async (component: string): Promise<number> => {
    const { object, namespace } = ownerOf(owners, component);
    const path = '--output=jsonpath={.spec.replicas}';
    return replicasIn(await cluster.kubectl('get', object, `--namespace=${namespace}`, path), object);
  };
  /** How many a component had right before: on a cluster of the user's own, others than ours may be the right number. */
  const found = new Map<string, number>();
  const replicasOf = (component: string) => found.get(component) ?? ownerOf(owners, component).replicas;
  return {
    names: () => Object.keys(owners),
    async impact(component) {
      const { namespace } = ownerOf(owners, component);
      const names = await podsOf(component);
      // Whom the guardrails do not hear of, they do not protect.
      if (names.length === 0)
        throw new EvidenceError(`${component} has no pod: nobody was there to be killed`);
      return {
        pods: names.map((name) => ({ namespace, name })),
        nodes: [],
        workloads: shareOf(workloadName(owners, component), {
          ...{ hit: names.length, left: 0, wanted: await scaleOf(component) },
        }),
      };
    },
    undoOf(component) {
      const { object, namespace } = ownerOf(owners, component);
      return [cluster.undo.scale(object, replicasOf(component), namespace)];
    },
    async rehearse(component) {
      const { object, namespace } = ownerOf(owners, component);
      await cluster.kubectl('scale', object, '--replicas=0', `--namespace=${namespace}`, '--dry-run=server');
    },
    async look(component) {
      const replicas = await scaleOf(component);
      if (replicas > 0) found.set(component, replicas);
    },
    async hold(component) {
      const { object, namespace } = ownerOf(owners, component);
      const pods = await podsOf(component);
      // First nobody is there to start it again, then it goes. The kubelet gives what it kills two seconds at least.
      await cluster.kubectl('scale', object, '--replicas=0', `--namespace=${namespace}`);
      const now = ['--grace-period=0', '--force', '--ignore-not-found', '--wait=false'];
      if (pods.length > 0)
        await cluster.kubectl('delete', 'pod', ...pods, ...now, `--namespace=${namespace}`);
      return `${object} scaled to 0, ${pods.join(', ')} deleted without grace`;
    },
    async release(component) {
      // An autoscaler, or its owner, may have been there first.
      if ((await scaleOf(component)) > 0) return;
      const { object, namespace } = ownerOf(owners, component);
      const replicas = `--replicas=${replicasOf(component)}`;
      await cluster.kubectl('scale', object, replicas, `--namespace=${namespace}`);
    },
    pause: cannotPause,
    resume: cannotPause,
    settings(component) {
      const { object, settings } = ownerOf(owners, component);
      if (settings === undefined) throw new HarnessError(`${component} can not be changed on target kind`);
      return { object, ...settings };
    },
    async probe(component) {
      const { door } = ownerOf(owners, component);
      if (door === undefined) return probeSilence(readyUrl(component));
      const { state, detail } = await cluster.reach(podOf(cluster, lookout), door.host, door.port);
      return { seen: state !== 'open', detail };
    },
  };
}

function podOf(cluster: ClusterDriver, component: string): string {
  const [pod] = cluster.podsOf(component);
  if (pod === undefined) throw new HarnessError(`${component} has no pod to look from`);
  return pod;
}

export function networkDriver(cluster: ClusterDriver): NetworkDriver {
  const undoOf = (fault: string) => cluster.undo.delete(`networkchaos.chaos-mesh.org/faultline-${fault}`);
  const cuts = new Map<string, ChaosObject>();
  return {
    // Packets are dropped on both sides.
    async impact(component) {
      const all = await Promise.all([component, ...COMPONENTS].map((name) => cluster.impactOfPods(name)));
      return {
        pods: all.flatMap(({ pods }) => pods),
        nodes: [],
        workloads: all.flatMap(({ workloads }) => workloads),
      };
    },
    rehearse: (fault, component) => cluster.rehearse(ending(partition(`faultline-${fault}`, component))),
    undoOf,
    address: (component) => ({ host: component, port: BROKER_PORT }),
    async blackhole(fault, component, plannedMs) {
      const cut = ending(partition(`faultline-${fault}`, component), plannedMs);
      cuts.set(fault, cut);
      await cluster.inject(cut);
    },
    async restore(fault) {
      const cut = cuts.get(fault);
      if (cut) await cluster.recover(cut);
    },
    // By the name that the platform uses.
    reach: (component) => cluster.reach(podOf(cluster, 'receiver'), component, BROKER_PORT),
  };
}

/** The platform's pods on one side, the component's on the other; nobody else's packets are touched. */
function partition(name: string, component: string): ChaosObject {
  const side = (label: string, value: string) => ({
    namespaces: [NAMESPACE],
    labelSelectors: { [label]: value },
  });
  return {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'NetworkChaos',
    metadata: { name },
    spec: {
      ...{ action: 'partition', mode: 'all', direction: 'both' },
      selector: side('app.kubernetes.io/part-of', 'knative-lambda'),
      target: { mode: 'all', selector: side('app', component) },
    },
  };
}
