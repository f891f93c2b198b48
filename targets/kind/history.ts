/** What the cluster's API shows of a run as it happens, for people: each pod's states, and the cluster's events, with their instants. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api, type CoreV1Event, KubeConfig, makeInformer, type V1Pod } from '@kubernetes/client-node';
import { stateOf } from './log-keeper.ts';

const RECONNECT_MS = 500;
const REVISION = 'serving.knative.dev/revision';

export interface History {
  see(pod: V1Pod): void;
  gone(pod: V1Pod): void;
  stop(): Promise<void>;
}

/**
 * Writes `pods.txt` and `events.txt` into the directory, a line for each change. Events of the platform's namespace, of nodes (which are in
 * `default`) and of what the platform stands on; of the platform's alone for who may not see all.
 */
export async function keepHistory(
  kubeconfig: string,
  namespace: string,
  directory: string,
): Promise<History> {
  const open = (name: string) =>
    createWriteStream(join(directory, name), { flags: 'a' }).on('error', () => {});
  const pods = open('pods.txt');
  const events = open('events.txt');
  const states = new Map<string, string>();
  const stopEvents = await watchEvents(kubeconfig, namespace, (event) => {
    if (isOfRun(event, namespace)) events.write(`${lineOf(event)}\n`);
  });
  const tell = (pod: V1Pod, state: string) => {
    const { name = '', labels = {} } = pod.metadata ?? {};
    if (states.get(name) === state) return;
    states.set(name, state);
    const revision = labels[REVISION] ? ` revision ${labels[REVISION]}` : '';
    pods.write(`${new Date().toISOString()} ${name}${revision} ${state}\n`);
  };
  return {
    see: (pod) => tell(pod, podState(pod)),
    gone: (pod) => tell(pod, 'gone'),
    async stop() {
      await stopEvents();
      await Promise.all([pods, events].map((file) => new Promise<void>((done) => file.end(done))));
    },
  };
}

/** What every platform stands on, and faults may reach. */
const BELOW = ['kube-system', 'knative-serving', 'chaos-mesh'];

/** What others do on the same cluster is no business of who reads the bundle. @param own namespace of the platform */
export function isOfRun({ involvedObject: { kind, namespace } }: CoreV1Event, own: string): boolean {
  return kind === 'Node' || [own, ...BELOW].includes(namespace ?? '');
}

/** Phase, node, and each container. */
export function podState({ metadata, spec, status }: V1Pod): string {
  const phase = metadata?.deletionTimestamp ? 'Terminating' : (status?.phase ?? 'Unknown');
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const containers = all.map((container) => `${container.name} ${stateOf(container)}`);
  return [`${phase} on ${spec?.nodeName ?? 'no node'}`, ...containers].join('; ');
}

/** The instant is the cluster's; of an event that is counted, that of its last time. */
export function lineOf(event: CoreV1Event): string {
  const at = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
  const { kind, namespace, name } = event.involvedObject;
  const times = (event.count ?? 1) > 1 ? ` (${event.count} times)` : '';
  const what = [kind?.toLowerCase(), namespace, name].filter(Boolean).join('/');
  return `${at ? new Date(at).toISOString() : '-'} ${event.type} ${what} ${event.reason}: ${(event.message ?? '').replaceAll(/\s+/g, ' ').trim()}${times}`;
}

async function watchEvents(
  kubeconfig: string,
  namespace: string,
  onEvent: (event: CoreV1Event) => void,
): Promise<() => Promise<void>> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const began = Date.now();
  let stopped = false;
  const watch = async (path: string, list: () => Promise<unknown>) => {
    const informer = makeInformer<CoreV1Event>(config, path, list as never);
    const seen = new Set<string>();
    const tell = (event: CoreV1Event) => {
      const at = Date.parse(
        String(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp),
      );
      const key = `${event.metadata.uid} ${event.count}`;
      // What was there before the run, and what a new connection tells again.
      if (at < began - 1000 || seen.has(key)) return;
      seen.add(key);
      onEvent(event);
    };
    informer.on('add', tell);
    informer.on('update', tell);
    informer.on('error', () => {
      if (!stopped) setTimeout(() => void informer.start().catch(() => {}), RECONNECT_MS);
    });
    await informer.start();
    return () => informer.stop();
  };
  const own = `/api/v1/namespaces/${namespace}/events`;
  // Asked first: an informer that is refused goes on asking, and says nothing.
  const mayAll = await api.listEventForAllNamespaces({ limit: 1 }).then(
    () => true,
    () => false,
  );
  const stop = mayAll
    ? await watch('/api/v1/events', () => api.listEventForAllNamespaces())
    : await watch(own, () => api.listNamespacedEvent({ namespace }));
  return async () => {
    stopped = true;
    await stop();
  };
}
