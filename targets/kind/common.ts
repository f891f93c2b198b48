/** What every platform on the cluster needs, the reference platform and the user's own: room for it, what measures it. */
import { randomUUID } from 'node:crypto';
import { HarnessError } from '../../base/errors.ts';
import { rightsManifests, type Subject } from '../../chaos/rights.ts';
import type { UndoLog } from '../../chaos/undo/log.ts';
import { RUN_LABEL, RUN_PATH } from '../../chaos/undo/operations.ts';
import { Kubernetes, type Way } from '../../kind/kubernetes.ts';
import type { TargetRequest } from '../target.ts';
import type { Place } from './place.ts';

export const UP_WITHIN_S = 180;

/**
 * What a run before this one left behind on its way out is waited for.
 * @param object what the run would make, and delete at its end: kind/name @throws HarnessError when it is there already
 */
export async function refuseTaken(cluster: Kubernetes, object: string): Promise<void> {
  const path = '--output=jsonpath={.metadata.name} {.metadata.deletionTimestamp}';
  const look = () => cluster.do('get', object, '--ignore-not-found', path);
  if (/ \S/.test(await look()))
    await cluster.do('wait', '--for=delete', object, `--timeout=${UP_WITHIN_S}s`).catch(() => {});
  if ((await look()) !== '')
    throw new HarnessError(
      `the cluster has ${object} already, of another run or of yours: wait until that is over, or delete it`,
    );
}

/**
 * Makes the namespace for this run alone: of two that begin at once, the second is refused by the server, and its undo leaves the first's.
 * @param now its pods go without their grace at the end @returns records the same undo once more, for who wants it to come before others
 */
export async function takeNamespace(
  cluster: Kubernetes,
  { undo }: Pick<TargetRequest, 'undo'>,
  way: Way,
  { namespace, now }: { namespace: string; now: boolean },
): Promise<() => void> {
  const object = `namespace/${namespace}`;
  await refuseTaken(cluster, object);
  // Not the run's id, which may be too long for a label, and of `faultline up` is always the same.
  const run = randomUUID();
  const record = () => undo.record('deploy the platform', { op: 'delete-object', ...way, object, now, run });
  const id = record();
  const metadata = { name: namespace, labels: { [RUN_LABEL]: run } };
  await cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata }).catch(async (error) => {
    const owner = await cluster.do('get', object, '--ignore-not-found', RUN_PATH);
    if (owner !== run) undo.done(id);
    await refuseTaken(cluster, object);
    throw error;
  });
  return () => void record();
}

/** What Prometheus needs of the nodes has no namespace to go with. @throws HarnessError when it is there already */
export async function recordNodeRights(
  cluster: Kubernetes,
  undo: UndoLog,
  way: Way,
  namespace: string,
): Promise<void> {
  const objects = ['clusterrole', 'clusterrolebinding'].map((kind) => `${kind}/${namespace}-prometheus`);
  for (const object of objects) await refuseTaken(cluster, object);
  for (const object of objects)
    undo.record('let Prometheus scrape the nodes', { op: 'delete-object', ...way, object });
}

/** As whom faults act. What is outside of the namespace has its name: two runs with a platform each do not share their rights. */
export const faultsSubject = (namespace: string): Subject => ({
  name: `faultline-faults-${namespace}`,
  namespace,
});

/** What is asked of a run's request by what measures it. */
export type Measured = Pick<
  TargetRequest,
  'rules' | 'webhookUrl' | 'scrapeMs' | 'evaluationMs' | 'timeScale'
>;

/**
 * Faults act as a ServiceAccount that has the rights of this run's faults and no others, so that what `faultline rights` says is known
 * to suffice. Comes and goes with the run. Call when the namespace is there.
 * @returns the cluster as this account
 */
export async function asFaults(
  cluster: Kubernetes,
  way: Way,
  namespace: string,
  { rights, undo }: Pick<TargetRequest, 'rights' | 'undo'>,
): Promise<Kubernetes> {
  const subject = faultsSubject(namespace);
  const manifests = rightsManifests(rights, subject);
  for (const { kind, metadata } of manifests.filter(({ metadata }) => metadata.namespace !== namespace))
    undo.record('let faults act', {
      ...{ op: 'delete-object', ...way, object: `${kind.toLowerCase()}/${metadata.name}` },
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    });
  await cluster.apply([{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: subject }, ...manifests]);
  return new Kubernetes(way, `system:serviceaccount:${namespace}:${subject.name}`);
}

/** Waits until what `kubectl rollout status` knows is whole. @throws HarnessError naming what does not become so */
export async function available(
  cluster: Kubernetes,
  namespace: string,
  owners: string[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + UP_WITHIN_S * 1000;
  for (const owner of owners) {
    signal.throwIfAborted();
    const left = Math.max(1, Math.round((deadline - performance.now()) / 1000));
    await cluster.do('--namespace', namespace, 'rollout', 'status', owner, `--timeout=${left}s`);
  }
}

/** `host:port` by which this host reaches each Service that has a port of the nodes. */
export async function nodePorts(
  cluster: Kubernetes,
  { nodeAddress }: Place,
  namespace: string,
): Promise<(service: string) => string> {
  const text = await cluster.do('--namespace', namespace, 'get', 'services', '--output=json');
  const { items } = JSON.parse(text) as {
    items: { metadata: { name: string }; spec: { ports?: { nodePort?: number }[] } }[];
  };
  return (service) => {
    const port = items
      .find((item) => item.metadata.name === service)
      ?.spec.ports?.find((p) => p.nodePort)?.nodePort;
    if (port === undefined) throw new HarnessError(`service ${service} has no port of the node`);
    return `${nodeAddress}:${port}`;
  };
}

const REACHED_WITHIN_S = 5;

/**
 * Alerts are delivered to this host, and the reference platform's builds go through it: without a way from a pod to here, every alert would
 * look silent. Call when Prometheus is there, from whose pod is tried.
 * @throws HarnessError when there is none
 */
export async function refuseUnreachableHost(
  cluster: Kubernetes,
  namespace: string,
  { target, hostAddress }: Place,
  webhookUrl: string,
): Promise<void> {
  const { hostname, port } = new URL(webhookUrl);
  const connect = `timeout ${REACHED_WITHIN_S} bash -c ': >/dev/tcp/${hostname}/${port}' && echo reached`;
  const inside = ['--namespace', namespace, 'exec', 'deployment/prometheus', '--', 'bash', '-c', connect];
  // Not the words of an error: they repeat what was asked.
  const { stdout, output } = await cluster.undo(...inside);
  if (stdout.trim() !== 'reached')
    throw new HarnessError(
      `a pod of target ${target} can not reach this host at ${hostname}:${port}: is ${hostAddress} its address there, and does a firewall let it in? It said: ${output.trim().slice(-300) || 'nothing'}`,
    );
}
