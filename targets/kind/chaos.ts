/** The drivers that scenarios share with target `local`: components that are held, and a component that is cut off. */
import { HarnessError } from '../../base/errors.ts';
import type { ChaosObject, ClusterDriver, ComponentDriver, NetworkDriver } from '../../chaos/drivers.ts';
import { COMPONENTS, MEMORY, NAMESPACE } from './platform.ts';

/** What holds the pods of a component, and how many there are. */
const OWNERS: Record<string, { object: string; replicas: number }> = {
  ...Object.fromEntries(COMPONENTS.map((name) => [name, { object: `deployment/${name}`, replicas: 1 }])),
  rabbitmq: { object: 'statefulset/rabbitmq', replicas: 3 },
};
const BROKER_PORT = 5672;

function ownerOf(component: string): { object: string; replicas: number } {
  const owner = OWNERS[component];
  if (owner === undefined) throw new HarnessError(`no component "${component}" on target kind`);
  return owner;
}

const cannotPause = () => Promise.reject(new HarnessError('target kind can not pause a process'));

export function componentDriver(
  cluster: ClusterDriver,
  platformImage: string,
  readyUrl: (component: string) => string,
): ComponentDriver {
  return {
    names: () => Object.keys(OWNERS),
    impact: (component) => cluster.impactOfPods(component),
    undoOf(component) {
      const { object, replicas } = ownerOf(component);
      return [cluster.undo.scale(object, replicas)];
    },
    async hold(component) {
      const { object } = ownerOf(component);
      const pods = cluster.podsOf(component);
      // First nobody is there to start it again, then it goes. The kubelet gives what it kills two seconds at least.
      await cluster.kubectl('scale', object, '--replicas=0');
      const now = ['--grace-period=0', '--force', '--ignore-not-found', '--wait=false'];
      if (pods.length > 0) await cluster.kubectl('delete', 'pod', ...pods, ...now);
      return `${object} scaled to 0, ${pods.join(', ')} deleted without grace`;
    },
    async release(component) {
      const { object, replicas } = ownerOf(component);
      await cluster.kubectl('scale', object, `--replicas=${replicas}`);
    },
    pause: cannotPause,
    resume: cannotPause,
    settings: () => ({ image: platformImage, ...MEMORY }),
    readyUrl,
  };
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
    undoOf,
    address: (component) => ({ host: component, port: BROKER_PORT }),
    async blackhole(fault, component) {
      cut = partition(`faultline-${fault}`, component);
      await cluster.inject(cut);
    },
    async restore() {
      if (cut) await cluster.recover(cut);
    },
    // From within the receiver's pod, by the name that the receiver uses.
    async reach(component) {
      const [pod] = cluster.podsOf('receiver');
      if (pod === undefined) throw new HarnessError('the receiver has no pod to look from');
      return cluster.reach(pod, component, BROKER_PORT);
    },
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
