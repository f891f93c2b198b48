/** The drivers that scenarios share with target `local`: components that are held, and a component that is cut off. */
import { HarnessError } from '../../base/errors.ts';
import type { ChaosObject, ClusterDriver, ComponentDriver, NetworkDriver } from '../../chaos/drivers.ts';
import { probeSilence } from '../../chaos/silence-probe.ts';
import { COMPONENTS, MEMORY, NAMESPACE } from './platform.ts';

interface Owner {
  /** What holds the pods, and how many there are. */
  object: string;
  replicas: number;
  namespace: string;
  /** Where the platform reaches it; components of the platform have a way in from this host instead. */
  door?: { host: string; port: number };
}

const KNATIVE = 'knative-serving';
const BROKER_PORT = 5672;
const OWNERS: Record<string, Owner> = {
  ...Object.fromEntries(
    COMPONENTS.map((name) => [name, { object: `deployment/${name}`, replicas: 1, namespace: NAMESPACE }]),
  ),
  rabbitmq: {
    ...{ object: 'statefulset/rabbitmq', replicas: 3, namespace: NAMESPACE },
    door: { host: 'rabbitmq', port: BROKER_PORT },
  },
  'object-store': {
    ...{ object: 'deployment/object-store', replicas: 1, namespace: NAMESPACE },
    door: { host: 'object-store', port: 9000 },
  },
  activator: {
    ...{ object: 'deployment/activator', replicas: 1, namespace: KNATIVE },
    door: { host: `activator-service.${KNATIVE}`, port: 80 },
  },
  autoscaler: {
    ...{ object: 'deployment/autoscaler', replicas: 1, namespace: KNATIVE },
    door: { host: `autoscaler.${KNATIVE}`, port: 8080 },
  },
};
/** Can be killed and held, and nothing else: they are not built from the platform's image. */
export const INFRASTRUCTURE = ['object-store', 'activator', 'autoscaler'];

function ownerOf(component: string): Owner {
  const owner = OWNERS[component];
  if (owner === undefined) throw new HarnessError(`no component "${component}" on target kind`);
  return owner;
}

const cannotPause = () => Promise.reject(new HarnessError('target kind can not pause a process'));

/** @param readyUrl of a component of the platform: 200 when it serves */
export function componentDriver(
  cluster: ClusterDriver,
  platformImage: string,
  readyUrl: (component: string) => string,
): ComponentDriver {
  const podsOf = async (component: string): Promise<string[]> => {
    const { namespace } = ownerOf(component);
    const which = [`--selector=app=${component}`, '--output=jsonpath={.items[*].metadata.name}'];
    const names = await cluster.kubectl('get', 'pods', `--namespace=${namespace}`, ...which);
    return names.trim().split(/\s+/).filter(Boolean);
  };
  return {
    names: () => Object.keys(OWNERS),
    async impact(component) {
      const { namespace } = ownerOf(component);
      const names = await podsOf(component);
      return {
        pods: names.map((name) => ({ namespace, name })),
        nodes: [],
        workloads: [{ name: component, hit: names.length, of: names.length }],
      };
    },
    undoOf(component) {
      const { object, replicas, namespace } = ownerOf(component);
      return [cluster.undo.scale(object, replicas, namespace)];
    },
    async rehearse(component) {
      const { object, namespace } = ownerOf(component);
      const where = [`--namespace=${namespace}`, '--dry-run=server'];
      await cluster.kubectl('scale', object, '--replicas=0', ...where);
    },
    async hold(component) {
      const { object, namespace } = ownerOf(component);
      const pods = await podsOf(component);
      // First nobody is there to start it again, then it goes. The kubelet gives what it kills two seconds at least.
      await cluster.kubectl('scale', object, '--replicas=0', `--namespace=${namespace}`);
      const now = ['--grace-period=0', '--force', '--ignore-not-found', '--wait=false'];
      if (pods.length > 0)
        await cluster.kubectl('delete', 'pod', ...pods, ...now, `--namespace=${namespace}`);
      return `${object} scaled to 0, ${pods.join(', ')} deleted without grace`;
    },
    async release(component) {
      const { object, replicas, namespace } = ownerOf(component);
      await cluster.kubectl('scale', object, `--replicas=${replicas}`, `--namespace=${namespace}`);
    },
    pause: cannotPause,
    resume: cannotPause,
    settings: () => ({ image: platformImage, ...MEMORY }),
    async probe(component) {
      const { door } = ownerOf(component);
      if (door === undefined) return probeSilence(readyUrl(component));
      const { state, detail } = await cluster.reach(lookout(cluster), door.host, door.port);
      return { seen: state !== 'open', detail };
    },
  };
}

/** A pod of the platform, from which the harness looks as the platform does. */
function lookout(cluster: ClusterDriver): string {
  const [pod] = cluster.podsOf('receiver');
  if (pod === undefined) throw new HarnessError('the receiver has no pod to look from');
  return pod;
}

export function networkDriver(cluster: ClusterDriver): NetworkDriver {
  const undoOf = (fault: string) => cluster.undo.delete(`networkchaos.chaos-mesh.org/faultline-${fault}`);
  let cut: ChaosObject | undefined;
  return {
    // Packets are dropped on both sides.
    impact(component) {
      const all = [component, ...COMPONENTS].map((name) => cluster.impactOfPods(name));
      return {
        pods: all.flatMap(({ pods }) => pods),
        nodes: [],
        workloads: all.flatMap(({ workloads }) => workloads),
      };
    },
    rehearse: (fault, component) => cluster.rehearse(partition(`faultline-${fault}`, component)),
    undoOf,
    address: (component) => ({ host: component, port: BROKER_PORT }),
    async blackhole(fault, component) {
      cut = partition(`faultline-${fault}`, component);
      await cluster.inject(cut);
    },
    async restore() {
      if (cut) await cluster.recover(cut);
    },
    // By the name that the platform uses.
    reach: (component) => cluster.reach(lookout(cluster), component, BROKER_PORT),
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
