/** What the cluster's API shows of a run as it happens, for people: each pod's states, and the cluster's events, with their instants. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api, type CoreV1Event, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import type { Unkept } from '../target.ts';
import { type Following, follow } from './follow.ts';
import { stateOf } from './log-keeper.ts';

/** Of events, which nobody waits for. */
const QUIET_MS = 30_000;
/** A watch that is away for less comes back at the next try. */
const AWAY_MS = 5000;
const REVISION = 'serving.knative.dev/revision';

export interface History {
  see(pod: V1Pod): void;
  gone(pod: V1Pod): void;
  /** @returns what could not be kept */
  stop(): Promise<Unkept[]>;
}

const PODS_FILE = 'pods.txt';
const EVENTS_FILE = 'events.txt';

/**
 * Writes `pods.txt` and `events.txt` into the directory, a line for each change. Events of the platform's namespace, of nodes (which are in
 * `default`), of what the platform stands on, and of where faults act; for who may not see all, those of these namespaces that he may see.
 * @param reached namespaces in which faults act, as they are known when an event comes: which pods are on a node is known right before the act
 */
export async function keepHistory(
  kubeconfig: string,
  namespace: string,
  directory: string,
  reached: ReadonlySet<string>,
): Promise<History> {
  const unkept: Unkept[] = [];
  const open = (file: string) =>
    createWriteStream(join(directory, file), { flags: 'a' }).on('error', ({ message: reason }) =>
      unkept.push({ file, reason }),
    );
  const pods = open(PODS_FILE);
  const events = open(EVENTS_FILE);
  const states = new Map<string, string>();
  const stopEvents = await watchEvents(kubeconfig, new Set([namespace, ...BELOW, ...reached]), (event) => {
    if (isOfRun(event, namespace, reached)) events.write(`${lineOf(event)}\n`);
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
      const unseen = await stopEvents();
      await Promise.all([pods, events].map((file) => new Promise<void>((done) => file.end(() => done()))));
      return [...unkept, ...unseen.map((reason) => ({ file: EVENTS_FILE, reason }))];
    },
  };
}

/** What every platform stands on, and faults may reach. */
const BELOW = ['kube-system', 'knative-serving', 'chaos-mesh'];

/**
 * What others do on the same cluster is no business of who reads the bundle, but for what the run has done to them.
 * @param own namespace of the platform
 */
export function isOfRun(
  { involvedObject: { kind, namespace = '' } }: CoreV1Event,
  own: string,
  reached: ReadonlySet<string>,
): boolean {
  return kind === 'Node' || [own, ...BELOW].includes(namespace) || reached.has(namespace);
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

/**
 * @param namespaces those that are asked for one by one where all may not be seen; the first is the platform's
 * @returns stops it, and tells why some were not seen
 */
async function watchEvents(
  kubeconfig: string,
  namespaces: ReadonlySet<string>,
  onEvent: (event: CoreV1Event) => void,
): Promise<() => Promise<string[]>> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const began = Date.now();
  const following: { what: string; each: Following }[] = [];
  const unseen: string[] = [];
  const watch = async (what: string, path: string, list: () => Promise<unknown>) => {
    const seen = new Set<string>();
    const onSeen = (event: CoreV1Event) => {
      const at = Date.parse(
        String(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp),
      );
      const key = `${event.metadata.uid} ${event.count}`;
      // What was there before the run, and what a new connection tells again.
      if (at < began - 1000 || seen.has(key)) return;
      seen.add(key);
      onEvent(event);
    };
    try {
      following.push({ what, each: await follow(config, { what, path, list, onSeen, quietMs: QUIET_MS }) });
    } catch (error) {
      // They are for people: a run can do without.
      unseen.push((error as Error).message.replace(', which a run must', ''));
    }
  };
  const may = (list: Promise<unknown>) =>
    list.then(
      () => true,
      () => false,
    );
  if (await may(api.listEventForAllNamespaces({ limit: 1 })))
    await watch('events', '/api/v1/events', () => api.listEventForAllNamespaces());
  // Of others, those that may be seen; without the platform's own there is none that anybody looks for.
  else
    for (const [i, namespace] of [...namespaces].entries())
      if (i === 0 || (await may(api.listNamespacedEvent({ namespace, limit: 1 }))))
        await watch(`events of namespace ${namespace}`, `/api/v1/namespaces/${namespace}/events`, () =>
          api.listNamespacedEvent({ namespace }),
        );
  return async () => {
    for (const { what, each } of following)
      if (each.awayMs() > AWAY_MS)
        unseen.push(`nobody has seen ${what} for the last ${Math.round(each.blindMs() / 1000)} s`);
    await Promise.all(following.map(({ each }) => each.stop()));
    return unseen;
  };
}
