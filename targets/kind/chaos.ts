/** Faults on the cluster: by Chaos Mesh where it has one, by the Kubernetes API where that is enough. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HarnessError } from '../../base/errors.ts';
import type { ComponentDriver, NetworkDriver, Reach } from '../../chaos/drivers.ts';
import type { UndoOperation } from '../../chaos/undo/operations.ts';
import { type Kubernetes, type Manifest, parseManifests } from '../../kind/kubernetes.ts';
import { COMPONENTS, NAMESPACE } from './platform.ts';
import type { PodWatch } from './pods.ts';

const run = promisify(execFile);

/** A fault that is not in place after so long counts as not injected: the run is `unknown`. */
const INJECTED_WITHIN_MS = 10_000;
/** As the probe's contract has it (chaos/fault.ts). */
const REACH_WITHIN_S = 0.4;

export interface ClusterAccess {
  cluster: Kubernetes;
  kubectl: string;
  kubeconfig: string;
  pods: PodWatch;
}

/** What holds the pods of a component. */
const OWNERS: Record<string, string> = {
  ...Object.fromEntries(COMPONENTS.map((name) => [name, `deployment/${name}`])),
  rabbitmq: 'statefulset/rabbitmq',
};
const REPLICAS: Record<string, number> = { rabbitmq: 3 };

export function componentDriver(
  access: ClusterAccess,
  readyUrl: (component: string) => string,
): ComponentDriver {
  const { cluster, kubectl, kubeconfig } = access;
  const owner = (component: string): string => {
    const name = OWNERS[component];
    if (name === undefined) throw new HarnessError(`no component "${component}" on target kind`);
    return name;
  };
  const replicas = (component: string) => REPLICAS[component] ?? 1;
  const inside = (...args: string[]) => cluster.do('--namespace', NAMESPACE, ...args);
  return {
    names: () => Object.keys(OWNERS),
    undoOf: (component) => [
      {
        ...{ op: 'scale-object', kubectl, kubeconfig, namespace: NAMESPACE },
        ...{ object: owner(component), replicas: replicas(component) },
      },
    ],
    async hold(component) {
      const names = access.pods.of(component).map((pod) => pod.metadata?.name ?? '');
      // First nobody is there to start it again, then it goes. The kubelet gives what it kills two seconds at least.
      await inside('scale', owner(component), '--replicas=0');
      if (names.length > 0)
        await inside(
          'delete',
          'pod',
          ...names,
          '--grace-period=0',
          '--force',
          '--ignore-not-found',
          '--wait=false',
        );
      return `${owner(component)} scaled to 0, ${names.join(', ')} deleted without grace`;
    },
    async release(component) {
      await inside('scale', owner(component), `--replicas=${replicas(component)}`);
    },
    pause: () => Promise.reject(new HarnessError('target kind can not pause a process')),
    resume: () => Promise.reject(new HarnessError('target kind can not pause a process')),
    readyUrl,
  };
}

export function networkDriver(access: ClusterAccess): NetworkDriver {
  const { cluster, kubectl, kubeconfig } = access;
  const nameOf = (fault: string) => `faultline-${fault}`;
  const object = (fault: string) => `networkchaos.chaos-mesh.org/${nameOf(fault)}`;
  const undoOf = (fault: string): UndoOperation => ({
    ...{ op: 'delete-object', kubectl, kubeconfig, namespace: NAMESPACE },
    object: object(fault),
  });
  return {
    undoOf,
    address: (component) => ({ host: component, port: 5672 }),
    async blackhole(fault, component) {
      await cluster.apply(parseManifests(partition(nameOf(fault), component)));
      await untilInjected(cluster, object(fault));
    },
    async restore(fault) {
      await cluster.do(
        '--namespace',
        NAMESPACE,
        'delete',
        object(fault),
        '--ignore-not-found',
        '--timeout=30s',
      );
    },
    reach: (component) => reachFromReceiver(access, component),
  };
}

/** @throws HarnessError when Chaos Mesh has not said AllInjected in time, with what it said. */
async function untilInjected(cluster: Kubernetes, object: string): Promise<void> {
  const deadline = performance.now() + INJECTED_WITHIN_MS;
  let said = '';
  while (performance.now() < deadline) {
    const text = await cluster.do('--namespace', NAMESPACE, 'get', object, '--output=json');
    const { conditions = [] } =
      (JSON.parse(text) as Manifest & { status?: { conditions?: Condition[] } }).status ?? {};
    const holds = (type: string) => conditions.some((c) => c.type === type && c.status === 'True');
    if (holds('Selected') && holds('AllInjected')) return;
    said = conditions.map((c) => `${c.type}=${c.status}${c.reason ? ` (${c.reason})` : ''}`).join(', ');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new HarnessError(
    `Chaos Mesh did not inject ${object} within ${INJECTED_WITHIN_MS / 1000} s: ${said || 'it said nothing'}`,
  );
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
}

/** The platform's pods on one side, the component's on the other; nobody else's packets are touched. */
function partition(name: string, component: string): string {
  return `
apiVersion: chaos-mesh.org/v1alpha1
kind: NetworkChaos
metadata: { name: ${name}, namespace: ${NAMESPACE} }
spec:
  action: partition
  mode: all
  direction: both
  selector: { namespaces: [${NAMESPACE}], labelSelectors: { app.kubernetes.io/part-of: knative-lambda } }
  target: { mode: all, selector: { namespaces: [${NAMESPACE}], labelSelectors: { app: ${component} } } }
`;
}

/** From within the receiver's pod, by the name that the receiver uses. */
async function reachFromReceiver(
  { pods, kubectl, kubeconfig }: ClusterAccess,
  component: string,
): Promise<Reach> {
  const pod = pods.of('receiver')[0]?.metadata?.name;
  if (pod === undefined) throw new HarnessError('the receiver has no pod to look from');
  const script = `timeout ${REACH_WITHIN_S} bash -c ': >/dev/tcp/${component}/5672'; echo code=$?`;
  const { stdout, stderr } = await run(kubectl, [
    ...[`--kubeconfig=${kubeconfig}`, '--namespace', NAMESPACE, 'exec', pod, '--'],
    ...['bash', '-c', script],
  ]);
  const code = Number(/code=(\d+)/.exec(stdout)?.[1]);
  const detail = `connect to ${component}:5672 from ${pod}:`;
  if (code === 0) return { state: 'open', detail: `${detail} open` };
  if (code === 124)
    return { state: 'silent', detail: `${detail} no answer in ${REACH_WITHIN_S * 1000} ms, nothing refused` };
  return { state: 'refused', detail: `${detail} ${stderr.trim().split('\n')[0] ?? `code ${code}`}` };
}
