/** What faults do to the cluster: through kubectl, Chaos Mesh and, for whole nodes, the container engine. */

import { get as getPlain } from 'node:http';
import { get } from 'node:https';
import type { V1Pod } from '@kubernetes/client-node';
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import type { Answer, ChaosObject, ClusterDriver, Reach } from '../../chaos/drivers.ts';
import { shareOf } from '../../chaos/guardrails/share.ts';
import { replicasIn } from '../../chaos/replicas.ts';
import { loseNode } from '../../chaos/undo/lost-node.ts';
import { carryOut } from '../../chaos/undo/operations.ts';
import { limitProcess } from '../../chaos/undo/processor-limit.ts';
import type { Kubernetes } from '../../kind/kubernetes.ts';
import { exec } from '../../tools/exec.ts';
import { type Owners, ownerOf, workloadName } from './chaos.ts';
import { nodeImpact, OWNERS, OWNERS_PATH, PODS_PATH } from './node-impact.ts';
import type { Place } from './place.ts';
import { isReady, type PodWatch } from './pods.ts';

/** A fault that is not in place after so long is not known to be: the run is `unknown`. Chaos Mesh needs 0.7 s on an idle cluster. */
const INJECTED_WITHIN_MS = 30_000;
/** As the probe's contract has it (chaos/fault.ts). */
const REACH_WITHIN_S = 0.4;
const ANSWER_WITHIN_MS = 450;
const RESOLVED_WITHIN_S = 2;
const SHELL_WITHIN_MS = 5000;

export interface ClusterAccess {
  /** With the rights of faults. */
  cluster: Kubernetes;
  /** With those of the run, which has deployed what faults act on: for what is counted before they may. */
  watching: Kubernetes;
  place: Place;
  /** Of the platform. */
  namespace: string;
  pods: PodWatch;
  owners: Owners;
  /** URL of a component of the platform that answers 200 when it serves. */
  readyUrl(component: string): string;
}

export function clusterDriver(access: ClusterAccess): ClusterDriver {
  const { cluster, watching, place, namespace, pods, owners, readyUrl } = access;
  const { way, nodes, engine } = place;
  const inside = { ...way, namespace };
  const kubectl = (...args: string[]) => cluster.do('--namespace', namespace, ...args);
  const placed = ({ metadata, ...object }: ChaosObject) => ({
    ...object,
    metadata: { ...metadata, namespace },
  });
  const nameOf = (object: ChaosObject) =>
    `${object.kind.toLowerCase()}.chaos-mesh.org/${object.metadata.name}`;
  // Both streams, and no error: the probe reads what the shell said.
  const shell = async (pod: string, command: string): Promise<string> => {
    const args = [...cluster.way, '--namespace', namespace, 'exec', pod, '--'];
    const options = { timeoutMs: SHELL_WITHIN_MS };
    return (await exec(way.kubectl, [...args, 'bash', '-c', command], options)).output;
  };
  const containerOf = (node: string) => ({
    container: node,
    ...(engine?.host === undefined ? {} : { engine: engine.host }),
  });
  const reviving = (node: string) => ({ op: 'revive-node' as const, ...containerOf(node) });
  const controlPlane = nodes.find(({ worker }) => !worker);
  const apiServer = { ...containerOf(controlPlane?.name ?? ''), process: 'kube-apiserver' };
  const quickening = { op: 'unlimit-process' as const, ...apiServer };
  return {
    namespace,
    kubectl,
    rehearse: (object) => cluster.rehearse([placed(object)]),
    async inject(object) {
      await cluster.apply([placed(object)]);
      await untilInjected(kubectl, nameOf(object));
    },
    async recover(object) {
      await kubectl('delete', nameOf(object), '--ignore-not-found', '--timeout=30s');
    },
    labelsOf: (component) => ownerOf(owners, component).labels,
    podsOf: (component) => pods.of(component).map(podName),
    async impactOfPods(component, names) {
      const all = pods.of(component);
      const hit = new Set(names ?? all.map(podName));
      const { object, namespace: where } = ownerOf(owners, component);
      const path = '--output=jsonpath={.spec.replicas}';
      // As it is now: an autoscaler, or its owner, may want another number than was deployed.
      const wanted = replicasIn(await watching.do('--namespace', where, 'get', object, path), object);
      return {
        pods: [...hit].map((name) => ({ namespace, name })),
        nodes: [],
        workloads: shareOf(workloadName(owners, component), {
          ...{ hit: hit.size, wanted },
          left: all.filter((pod) => !hit.has(podName(pod)) && isReady(pod)).length,
        }),
      };
    },
    async impactOfNode(node) {
      const listed = (kinds: string, path: string) => kubectl('get', kinds, '--all-namespaces', path);
      // Who may not see the owners does not act: how much of what they want is taken would be a guess.
      const wanted = await listed(OWNERS.map((kind) => `${kind}.apps`).join(','), OWNERS_PATH);
      return nodeImpact(await listed('pods', PODS_PATH), wanted, node);
    },
    async reach(fromPod, host, port) {
      // The name first: an answer of DNS that is late would look like a connection that gets none.
      const resolve = `address=$(timeout ${RESOLVED_WITHIN_S} getent ahostsv4 ${host} | head -n 1 | cut -d ' ' -f 1)`;
      const connect = `timeout ${REACH_WITHIN_S} bash -c ": >/dev/tcp/$address/${port}"`;
      const said = await shell(fromPod, `${resolve}; [ "$address" ] || exit; ${connect}; echo code=$?`);
      return reachOf(said, `connect to ${host}:${port} from ${fromPod}:`);
    },
    shell,
    undo: {
      delete: (object) => ({ op: 'delete-object', ...inside, object }),
      scale: (object, replicas, elsewhere = namespace) => ({
        ...{ op: 'scale-object', ...way, namespace: elsewhere },
        ...{ object, replicas },
      }),
      patch: (object, { patch, field, value }) => ({
        ...{ op: 'patch-object', ...inside, object },
        ...{ patch: JSON.stringify(patch), field, value },
      }),
      revive: reviving,
      quicken: () => quickening,
    },
    workers: nodes.filter(({ worker }) => worker),
    lose: async (node) => loseNode(containerOf(node)),
    revive: (node) => carryOut(reviving(node)),
    ask: (component, withinMs) => ask(new URL('/metrics', readyUrl(component)), withinMs),
    slowApi: async (share) => limitProcess(apiServer, share),
    quickenApi: () => carryOut(quickening),
    apiAnswerMs: () => answerMs(`https://${controlPlane?.address}:6443/readyz`),
  };
}

const podName = ({ metadata }: V1Pod) => metadata?.name ?? '';

/** On a connection of its own: what is on the way in an old one is not asked again. */
function ask(url: URL, withinMs: number): Promise<Answer> {
  const began = performance.now();
  let bytes = 0;
  return new Promise((resolve) => {
    const request = getPlain(url, { agent: false }, (answer) => {
      answer.on('data', (piece: Buffer) => {
        bytes += piece.length;
      });
      answer.once('end', () => finish(true));
      answer.once('error', () => finish(false));
    });
    const finish = (whole: boolean) => {
      clearTimeout(timer);
      resolve({ whole, bytes, ms: performance.now() - began });
      request.destroy();
    };
    const timer = setTimeout(() => finish(false), withinMs);
    request.once('error', () => finish(false));
  });
}

/** Who answers is not checked: no secret is told, and how long it takes is all that is asked. */
function answerMs(url: string): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const finish = () => resolve(performance.now() - began);
    const request = get(
      url,
      { rejectUnauthorized: false, timeout: ANSWER_WITHIN_MS, agent: false },
      (answer) => answer.resume().once('close', finish),
    );
    request.once('timeout', () => {
      finish();
      request.destroy();
    });
    request.once('error', reject);
  });
}

/** How bash puts ECONNREFUSED and EHOSTUNREACH, the latter by glibc and by musl. */
const REFUSALS = /: (Connection refused|No route to host|Host is unreachable)$/m;

/**
 * @param said of `timeout bash`, and `code=` with its exit code
 * @throws HarnessError when nobody looked: kubectl did not get into the pod, the name has no address there, or bash is missing, was killed, or
 *   failed for a reason that is not the other side's
 */
export function reachOf(said: string, what: string): Reach {
  const code = /code=(\d+)/.exec(said)?.[1];
  if (code === '0') return { state: 'open', detail: `${what} open` };
  if (code === '124')
    return { state: 'silent', detail: `${what} no answer in ${REACH_WITHIN_S * 1000} ms, nothing refused` };
  const refusal = code === '1' ? REFUSALS.exec(said)?.[1] : undefined;
  if (refusal !== undefined) return { state: 'refused', detail: `${what} ${refusal}` };
  const nothing = code === undefined ? 'its name is not resolved there' : `code ${code}`;
  const why =
    said
      .replace(/code=\d+/, '')
      .trim()
      .split('\n')[0] || nothing;
  throw new HarnessError(`${what} could not be tried: ${why}`);
}

/** @throws EvidenceError when Chaos Mesh has not said AllInjected in time, with what it said. */
async function untilInjected(kubectl: (...args: string[]) => Promise<string>, object: string): Promise<void> {
  const deadline = performance.now() + INJECTED_WITHIN_MS;
  let said = '';
  while (performance.now() < deadline) {
    const { status } = JSON.parse(await kubectl('get', object, '--output=json')) as {
      status?: ChaosStatus;
    };
    const conditions = status?.conditions ?? [];
    const holds = (type: string) => conditions.some((c) => c.type === type && c.status === 'True');
    if (holds('Selected') && holds('AllInjected')) return;
    const records = status?.experiment?.containerRecords ?? [];
    // What its daemon said last tells more than the conditions.
    const failures = records.flatMap(
      ({ events = [] }) => events.findLast(({ type }) => type === 'Failed')?.message ?? [],
    );
    const states = conditions.map((c) => `${c.type}=${c.status}${c.reason ? ` (${c.reason})` : ''}`);
    said = [...states, ...failures.slice(0, 1)].join(', ');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new EvidenceError(
    `Chaos Mesh did not inject ${object} within ${INJECTED_WITHIN_MS / 1000} s: ${said || 'it said nothing'}`,
  );
}

interface ChaosStatus {
  conditions?: Condition[];
  experiment?: { containerRecords?: { events?: { type: string; message?: string }[] }[] };
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
}
