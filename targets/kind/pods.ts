/** Follows the pods of the platform's namespace through the API: how many instances each function has, and which components came and went. */
import { CoreV1Api, KubeConfig, makeInformer, type V1Pod } from '@kubernetes/client-node';
import type { ComponentEvent } from '../target.ts';
import { imagesOf } from './images.ts';

const RECONNECT_MS = 500;
/** Set by Knative on the pods of a Service, which is named as its function. */
export const SERVICE_LABEL = 'serving.knative.dev/service';
/** Of a build's pod (PLATFORM.md, "Life of a function"). */
const BUILD_LABEL = 'lambda.knative.io/build';

/** Components by name, with the labels that tell their pods apart. */
export type Labelled = Readonly<Record<string, Record<string, string>>>;

export interface PodWatch {
  /** Instances by function: pods that run, or are about to; those on their way out are not counted. @param which all without it */
  functions(which?: (pod: V1Pod) => boolean): Map<string, number>;
  /** Pods of functions that have an address and are not on their way out. */
  functionPods(): { pod: string; name: string; address: string }[];
  /** Pods of one component that are not on their way out. */
  of(component: string): V1Pod[];
  stop(): Promise<void>;
}

/** @throws Error when the first list does not come. */
export async function watchPods(
  kubeconfig: string,
  namespace: string,
  components: Labelled,
  onEvent: (event: ComponentEvent) => void,
): Promise<PodWatch> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const list = () => api.listNamespacedPod({ namespace });
  const informer = makeInformer<V1Pod>(config, `/api/v1/namespaces/${namespace}/pods`, list as never);
  const pods = new Map<string, V1Pod>();
  const running = new Set<string>();
  const ran = new Set<string>();
  const seen = (pod: V1Pod) => {
    pods.set(nameOf(pod), pod);
    const component = componentOf(pod);
    if (component !== undefined) tellChanges(pod, component, running, onEvent);
    tellImages(pod, component ?? roleOf(pod), ran, onEvent);
  };
  const componentOf = (pod: V1Pod) =>
    Object.keys(components).find((name) => hasLabels(pod, components[name] as Record<string, string>));
  informer.on('add', seen);
  informer.on('update', seen);
  informer.on('delete', (pod) => {
    pods.delete(nameOf(pod));
    const component = componentOf(pod);
    if (component !== undefined) tellEnd(pod, component, running, onEvent);
  });
  let stopped = false;
  const again = () => {
    if (stopped) return;
    setTimeout(() => void informer.start().catch(again), RECONNECT_MS);
  };
  informer.on('error', again);
  await informer.start();
  return {
    functions(which = () => true) {
      const counts = new Map<string, number>();
      for (const pod of pods.values()) {
        const name = pod.metadata?.labels?.[SERVICE_LABEL];
        if (name !== undefined && lives(pod) && which(pod)) counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      return counts;
    },
    functionPods: () =>
      [...pods.values()].filter(lives).flatMap((pod) => {
        const name = pod.metadata?.labels?.[SERVICE_LABEL];
        const address = pod.status?.podIP;
        return name === undefined || address === undefined ? [] : [{ pod: nameOf(pod), name, address }];
      }),
    of: (component) => [...pods.values()].filter((pod) => componentOf(pod) === component && lives(pod)),
    stop() {
      stopped = true;
      return informer.stop();
    },
  };
}

function hasLabels(pod: V1Pod, labels: Record<string, string>): boolean {
  return Object.entries(labels).every(([name, value]) => pod.metadata?.labels?.[name] === value);
}

const nameOf = (pod: V1Pod) => pod.metadata?.name ?? '';

export function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function lives(pod: V1Pod): boolean {
  return (
    pod.metadata?.deletionTimestamp === undefined && ['Pending', 'Running'].includes(pod.status?.phase ?? '')
  );
}

/** A container's life, for the journal; its process id is the node's own affair. */
function tellChanges(
  pod: V1Pod,
  component: string,
  running: Set<string>,
  onEvent: (event: ComponentEvent) => void,
): void {
  const status = pod.status?.containerStatuses?.[0];
  if (status?.containerID === undefined) return;
  if (status.state?.running && !running.has(status.containerID)) {
    running.add(status.containerID);
    onEvent({ type: 'started', component, pid: 0 });
  }
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  if (ended?.containerID !== undefined && running.delete(ended.containerID))
    onEvent({
      ...{
        type: 'exited',
        component,
        pid: 0,
        signal: null,
        expected: pod.metadata?.deletionTimestamp !== undefined,
      },
      code: ended.exitCode,
    });
}

/** What a pod is that belongs to no component that is watched. */
function roleOf({ metadata }: V1Pod): string {
  const labels = metadata?.labels ?? {};
  if (labels[BUILD_LABEL] !== undefined) return 'build';
  if (labels[SERVICE_LABEL] !== undefined) return 'function';
  return labels.app ?? labels['app.kubernetes.io/name'] ?? metadata?.name ?? '';
}

function tellImages(
  pod: V1Pod,
  component: string,
  ran: Set<string>,
  onEvent: (event: ComponentEvent) => void,
): void {
  for (const image of imagesOf(pod)) {
    const key = [component, image.container, image.id].join(' ');
    if (ran.has(key)) continue;
    ran.add(key);
    onEvent({ type: 'image', component, ...image });
  }
}

function tellEnd(
  pod: V1Pod,
  component: string,
  running: Set<string>,
  onEvent: (event: ComponentEvent) => void,
): void {
  const id = pod.status?.containerStatuses?.[0]?.containerID;
  if (id !== undefined && running.delete(id))
    onEvent({ type: 'exited', component, pid: 0, code: null, signal: 'deleted', expected: true });
}
