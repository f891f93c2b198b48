/** Follows the pods of the platform's namespace through the API: how many instances each function has, and which components came and went. */
import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import type { ComponentEvent, TargetRequest } from '../target.ts';
import { follow } from './follow.ts';
import { keepHistory } from './history.ts';
import { imagesOf } from './images.ts';
import { followByApi, LogKeeper } from './log-keeper.ts';

/** Set by Knative on the pods of a Service, which is named as its function. */
export const SERVICE_LABEL = 'serving.knative.dev/service';
/** Of a build's pod (PLATFORM.md, "Life of a function"). */
const BUILD_LABEL = 'lambda.knative.io/build';

/** Components by name, with the labels that tell their pods apart. */
export type Labelled = Readonly<Record<string, Record<string, string>>>;

/** Of those of which there are many. */
const LOG_NAMES: Readonly<Record<string, string>> = { build: 'builds', function: 'functions' };

/**
 * A watch that is cut and comes back at once tells what it missed within this time, ms: nobody was blind. client-node itself waits a second
 * before it opens one anew that the server has ended (cache.js, ListWatch, reconnectDelayMs).
 */
const BACK_WITHIN_MS = 2500;

export interface PodWatch {
  /** Instances by function: pods that run, or are about to; those on their way out are not counted. @param which all without it */
  functions(which?: (pod: V1Pod) => boolean): Map<string, number>;
  /** Pods of functions that have an address and are not on their way out. */
  functionPods(): { pod: string; name: string; address: string }[];
  /** Pods of one component that are not on their way out. */
  of(component: string): V1Pod[];
  /** For how long nobody has seen the pods, ms: what is told of them is from before; 0: they are seen. */
  unseenMs(): number;
  stop(): Promise<void>;
}

/**
 * @param logDirectory gets the logs of all, their states, and the cluster's events
 * @param reached namespaces in which faults act: their events too. Those that are added later, from then on
 * @throws HarnessError when pods can not be listed and watched
 */
export async function watchPods(
  kubeconfig: string,
  namespace: string,
  components: Labelled,
  { onEvent, logDirectory }: Pick<TargetRequest, 'onEvent' | 'logDirectory'>,
  reached: ReadonlySet<string> = new Set(),
): Promise<PodWatch> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const pods = new Map<string, V1Pod>();
  const told: Lives = { running: new Set(), ended: new Set() };
  const ran = new Set<string>();
  const logs = new LogKeeper(logDirectory, followByApi(kubeconfig, namespace));
  const history = await keepHistory(kubeconfig, namespace, logDirectory, reached);
  const seen = (pod: V1Pod) => {
    pods.set(nameOf(pod), pod);
    const component = componentOf(pod);
    const role = component ?? roleOf(pod);
    if (component !== undefined) tellChanges(pod, component, told, onEvent);
    tellImages(pod, role, ran, onEvent);
    logs.see(pod, LOG_NAMES[role] ?? role);
    history.see(pod);
  };
  const componentOf = (pod: V1Pod) =>
    Object.keys(components).find((name) => hasLabels(pod, components[name] as Record<string, string>));
  const following = await follow<V1Pod>(config, {
    what: `pods of namespace ${namespace}`,
    path: `/api/v1/namespaces/${namespace}/pods`,
    list: () => api.listNamespacedPod({ namespace }),
    onSeen: seen,
    onGone(pod) {
      pods.delete(nameOf(pod));
      const component = componentOf(pod);
      if (component !== undefined) tellEnd(pod, component, told, onEvent);
      history.gone(pod);
    },
  }).catch(async (error) => {
    await logs.stop();
    await history.stop();
    throw error;
  });
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
    unseenMs: () => (following.awayMs() > BACK_WITHIN_MS ? following.blindMs() : 0),
    async stop() {
      await following.stop();
      const unkept = [...(await logs.stop()), ...(await history.stop())];
      for (const what of unkept) onEvent({ type: 'unkept', ...what });
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

/** Ids of containers that were told to run, and to have ended. */
interface Lives {
  running: Set<string>;
  ended: Set<string>;
}

/**
 * The life of each container of a pod, for the journal, also of one that ended before anybody saw it run; its process id is the node's own
 * affair. Of all: the kubelet sorts them by name, and which one is the component nobody says.
 */
export function tellChanges(
  pod: V1Pod,
  component: string,
  { running, ended: told }: Lives,
  onEvent: (event: ComponentEvent) => void,
): void {
  for (const { status, which } of containersOf(pod)) {
    if (status.containerID === undefined) continue;
    const ended = status.state?.terminated ?? status.lastState?.terminated;
    if (ended?.containerID !== undefined && !told.has(ended.containerID)) {
      told.add(ended.containerID);
      running.delete(ended.containerID);
      onEvent({
        ...{ type: 'exited', component, ...which, pid: 0, code: ended.exitCode },
        signal: ended.reason === 'OOMKilled' ? ended.reason : null,
        expected: pod.metadata?.deletionTimestamp !== undefined,
      });
    }
    if (status.state?.running && !running.has(status.containerID)) {
      running.add(status.containerID);
      onEvent({ type: 'started', component, ...which, pid: 0 });
    }
  }
}

/** Where there is more than one, with the name that tells it from the others. */
function containersOf(pod: V1Pod) {
  const all = pod.status?.containerStatuses ?? [];
  return all.map((status) => ({ status, which: all.length > 1 ? { container: status.name } : {} }));
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

/** Of a pod that is gone: whatever of it nobody saw end. */
export function tellEnd(
  pod: V1Pod,
  component: string,
  { running, ended: told }: Lives,
  onEvent: (event: ComponentEvent) => void,
): void {
  for (const { status, which } of containersOf(pod)) {
    const id = status.containerID;
    if (id !== undefined && running.delete(id) && !told.has(id))
      onEvent({
        ...{ type: 'exited', component, ...which, pid: 0, code: null },
        ...{ signal: 'deleted', expected: true },
      });
  }
}
