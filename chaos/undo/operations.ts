/**
 * Undo operations are data, so that a process that knows nothing of the run can carry them out from the log. Each is
 * idempotent: undoing what never happened, or was undone, is no error.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { lostState, reviveNode } from './lost-node.ts';
import { killMarked, markedProcesses } from './marked.ts';
import { isLimited, unlimitProcess } from './processor-limit.ts';

/** How the process that undoes reaches the cluster; `namespace` is left out for what has none. */
const Kubectl = {
  ...{ kubectl: z.string(), kubeconfig: z.string(), namespace: z.string().optional() },
  /** The cluster is Faultline's own: it goes together with its kubeconfig. */
  madeHere: z.boolean().optional(),
};

/** Which run has made a namespace, and how kubectl tells it. */
export const RUN_LABEL = 'faultline.dev/run';
const RUN = `{.metadata.labels.${RUN_LABEL.replaceAll('.', '\\.')}}`;
export const RUN_PATH = `--output=jsonpath=${RUN}`;
/** Tells what has no label from what is not there, of which kubectl says nothing. */
const OWNER_PATH = `--output=jsonpath={.metadata.name}/${RUN}`;

export const UndoOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('kill-marked'), run: z.string() }),
  z.strictObject({ op: z.literal('delete-nft-table'), table: z.string() }),
  z.strictObject({ op: z.literal('remove-directory'), path: z.string() }),
  /** `object`: kind/name, as kubectl has it. */
  z.strictObject({
    op: z.literal('delete-object'),
    ...Kubectl,
    object: z.string(),
    /** Of a namespace: its pods without their grace, which half a minute of every run would be. */
    now: z.boolean().optional(),
    /** Only one that has this value of the label {@link RUN_LABEL}: of two runs at once, each deletes its own. */
    run: z.string().optional(),
  }),
  /** All objects of a kind in the namespace; what their finalizers wait for may be gone. */
  z.strictObject({
    op: z.literal('delete-all'),
    ...Kubectl,
    kind: z.string(),
    /** Of labels, as kubectl has it. */
    selector: z.string().optional(),
    /** Pods without their grace. */
    now: z.boolean().optional(),
  }),
  /** From 0, to which a fault scaled it. */
  z.strictObject({
    op: z.literal('scale-object'),
    ...Kubectl,
    object: z.string(),
    replicas: z.number().int(),
  }),
  /** A strategic merge patch, after which `field` (JSONPath) is `value`; a field that is not there is ''. */
  z.strictObject({
    op: z.literal('patch-object'),
    ...Kubectl,
    object: z.string(),
    patch: z.string(),
    field: z.string(),
    value: z.string(),
  }),
  /** Of a node's container; `engine`: value of DOCKER_HOST. */
  z.strictObject({
    op: z.literal('unlimit-process'),
    engine: z.string().optional(),
    container: z.string(),
    process: z.string(),
  }),
  z.strictObject({
    op: z.literal('revive-node'),
    engine: z.string().optional(),
    container: z.string(),
  }),
]);
export type UndoOperation = z.infer<typeof UndoOperation>;

/** @throws Error when the thing is still there afterwards. */
export async function carryOut(operation: UndoOperation): Promise<void> {
  switch (operation.op) {
    case 'kill-marked':
      await killMarked(operation.run);
      break;
    case 'delete-nft-table':
      if (nftTables().includes(operation.table))
        execFileSync('nft', ['delete', 'table', 'inet', operation.table]);
      break;
    case 'remove-directory':
      rmSync(operation.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      break;
    case 'delete-object':
      deleteObject(operation);
      break;
    case 'delete-all':
      deleteAll(operation);
      break;
    case 'scale-object':
      // What is gone needs no scale, and another number than ours is somebody else's: an autoscaler's, or the user's.
      if (replicasOf(operation) === '0')
        kubectl(operation, ['scale', operation.object, `--replicas=${operation.replicas}`]);
      break;
    case 'patch-object':
      if (objectThere(operation))
        kubectl(operation, ['patch', operation.object, '--type=strategic', `--patch=${operation.patch}`]);
      break;
    case 'unlimit-process':
      unlimitProcess(operation);
      break;
    case 'revive-node':
      reviveNode(operation);
      break;
  }
  const left = leftover(operation);
  if (left.length > 0) throw new Error(left.join('; '));
}

/** What an operation would still have to undo: the leak audit. Empty when clean. */
export function leftover(operation: UndoOperation): string[] {
  switch (operation.op) {
    case 'kill-marked':
      return markedProcesses(operation.run).map(
        (p) => `process ${p.pid} is still there: ${p.command.slice(0, 120)}`,
      );
    case 'delete-nft-table':
      return nftTables().includes(operation.table)
        ? [`nftables table inet ${operation.table} is still there`]
        : [];
    case 'remove-directory':
      return existsSync(operation.path) ? [`directory ${operation.path} is still there`] : [];
    case 'delete-object':
      return objectThere(operation) ? [`${operation.object} is still on the cluster`] : [];
    case 'delete-all':
      return objectsOf(operation).map((object) => `${object} is still on the cluster`);
    case 'scale-object':
      return replicasOf(operation) === '0' && operation.replicas > 0
        ? [`${operation.object} is still scaled to 0, not ${operation.replicas}`]
        : [];
    case 'patch-object': {
      if (!objectThere(operation)) return [];
      const value = kubectl(operation, ['get', operation.object, `--output=jsonpath=${operation.field}`]);
      return value === operation.value
        ? []
        : [`${operation.object} still has ${operation.field} = "${value}", not "${operation.value}"`];
    }
    case 'unlimit-process':
      return isLimited(operation)
        ? [`process ${operation.process} of node ${operation.container} is still limited`]
        : [];
    case 'revive-node': {
      const lost = lostState(operation);
      return lost === undefined ? [] : [`node ${operation.container} is still ${lost}`];
    }
  }
}

/**
 * Whether what a log has to undo on a cluster may be undone now: on the same cluster another run, or somebody who installs the same
 * platform, may have made a namespace of that name since, whose kinds, rights and faults have the same names; or the cluster was taken away.
 * @param log all that it ever had
 * @throws Error when the cluster gives no answer, or there is no way to one that Faultline did not make
 */
export function placeOf(
  log: readonly UndoOperation[],
  kubeconfig: string,
): 'ours' | 'gone' | { taken: string } {
  const text = existsSync(kubeconfig) ? readFileSync(kubeconfig, 'utf8') : '';
  const onIt = log.filter((one) => 'kubeconfig' in one && one.kubeconfig === kubeconfig);
  if (!/^\s*(- )?server:/m.test(text)) {
    if (onIt.some((one) => 'madeHere' in one && one.madeHere)) return 'gone';
    throw new Error(
      `nobody can look at the cluster: ${kubeconfig} names none, and the cluster is not Faultline's own, so it may still be there: \`faultline doctor\` with the same --cluster writes that file anew`,
    );
  }
  const asked = new Set<string>();
  for (const one of onIt) {
    if (one.op !== 'delete-object' || one.run === undefined || asked.has(one.object)) continue;
    asked.add(one.object);
    const found = kubectl(one, ['get', one.object, '--ignore-not-found', OWNER_PATH]);
    const owner = found.split('/')[1];
    if (found === '' || owner === one.run) continue;
    return {
      taken: owner
        ? `${one.object} is another run's now: wait until that is over`
        : `${one.object} is not of this run: without the label ${RUN_LABEL}, somebody else has made it since. Nothing on that cluster is touched: delete yourself what is not wanted there, then the directory of this log`,
    };
  }
  return 'ours';
}

export function describeUndo(operation: UndoOperation): string {
  switch (operation.op) {
    case 'kill-marked':
      return `kill every process marked with run ${operation.run}`;
    case 'delete-nft-table':
      return `delete nftables table inet ${operation.table}`;
    case 'remove-directory':
      return `remove ${operation.path}`;
    case 'delete-object':
      return `delete ${operation.object} from the cluster`;
    case 'delete-all':
      return `delete all ${operation.kind} of namespace ${operation.namespace}`;
    case 'scale-object':
      return `scale ${operation.object} to ${operation.replicas}`;
    case 'patch-object':
      return `set ${operation.field} of ${operation.object} to "${operation.value}"`;
    case 'unlimit-process':
      return `give process ${operation.process} of node ${operation.container} its processor time back`;
    case 'revive-node':
      return `revive node ${operation.container}`;
  }
}

function nftTables(): string[] {
  try {
    const listing = execFileSync('nft', ['list', 'tables', 'inet'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return [...listing.matchAll(/^table inet (\S+)/gm)].map((m) => m[1] as string);
  } catch (error) {
    // Without nft, or the right to use it, no table can have been made by us either. Anything else says nothing of tables.
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT' || /Operation not permitted/.test(stderr ?? '')) return [];
    throw error;
  }
}

type OnCluster = Extract<UndoOperation, { kubectl: string }>;

/** How long a namespace may take to go by itself: its pods have their grace, and a kubelet that was away comes back first. */
const GONE_WITHIN_S = 180;
const COMMAND_WITHIN_MS = (GONE_WITHIN_S + 15) * 1000;

/** @throws Error with kubectl's last words. */
function kubectl(operation: OnCluster, args: string[]): string {
  const where = [`--kubeconfig=${operation.kubeconfig}`, '--request-timeout=10s'];
  if (operation.namespace !== undefined) where.push(`--namespace=${operation.namespace}`);
  return execFileSync(operation.kubectl, [...where, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_WITHIN_MS,
  }).trim();
}

/** '' of what is not there. */
function replicasOf(operation: Extract<OnCluster, { op: 'scale-object' }>): string {
  const path = '--output=jsonpath={.spec.replicas}';
  return kubectl(operation, ['get', operation.object, '--ignore-not-found', path]);
}

function objectThere(operation: Extract<OnCluster, { object: string }>): boolean {
  const get = (path: string) => kubectl(operation, ['get', operation.object, '--ignore-not-found', path]);
  return 'run' in operation && operation.run !== undefined
    ? get(RUN_PATH) === operation.run
    : get('--output=name') !== '';
}

/** One whose finalizer hangs is forced; of a namespace, nothing is: what is in it would be left without an owner. */
function deleteObject(operation: Extract<OnCluster, { op: 'delete-object' }>): void {
  if (operation.run !== undefined && !objectThere(operation)) return;
  kubectl(operation, ['delete', operation.object, '--ignore-not-found', '--wait=false']);
  const isNamespace = operation.object.startsWith('namespace/');
  if (isNamespace && operation.now) endPods(operation);
  const gone = isGone(operation, [operation.object], isNamespace ? GONE_WITHIN_S : FORCED_AFTER_S);
  if (!gone && !isNamespace && objectThere(operation)) force(operation, operation.object);
}

/** From here on nothing makes new ones in a namespace that is on its way out. What does not go at once goes with its grace. */
function endPods(operation: Extract<OnCluster, { op: 'delete-object' }>): void {
  const where = { ...operation, namespace: operation.object.replace(/^namespace\//, '') };
  try {
    const now = ['--grace-period=0', '--force', '--wait=false'];
    kubectl(where, ['delete', 'pods', '--all', '--ignore-not-found', ...now]);
  } catch {}
}

function isGone(operation: OnCluster, objects: string[], seconds: number): boolean {
  const wait = ['wait', '--for=delete', ...objects, `--timeout=${seconds}s`];
  try {
    kubectl(operation, ['--request-timeout=0', ...wait]);
    return true;
  } catch {
    return false;
  }
}

type All = Extract<OnCluster, { op: 'delete-all' }>;

/** A kind that the cluster does not know has no objects. */
function objectsOf(operation: All): string[] {
  const which = operation.selector === undefined ? [] : [`--selector=${operation.selector}`];
  try {
    return kubectl(operation, ['get', operation.kind, ...which, '--ignore-not-found', '--output=name'])
      .split('\n')
      .filter(Boolean);
  } catch (error) {
    // The second of a kind that kubectl still has in its cache of kinds.
    const unknown = /the server doesn't have a resource type|could not find the requested resource/;
    if (unknown.test((error as { stderr?: string }).stderr ?? '')) return [];
    throw error;
  }
}

function deleteAll(operation: All): void {
  const objects = objectsOf(operation);
  if (objects.length === 0) return;
  const grace = operation.now ? ['--grace-period=0', '--force'] : [];
  kubectl(operation, ['delete', ...objects, ...grace, '--ignore-not-found', '--wait=false']);
  if (isGone(operation, objects, FORCED_AFTER_S)) return;
  for (const object of objectsOf(operation)) force(operation, object);
}

const forced: string[] = [];

/** What this process had to force since it was asked last, in its words. */
export const takeForced = (): string[] => forced.splice(0);

function force(operation: OnCluster, object: string): void {
  const none = '{"metadata":{"finalizers":null}}';
  kubectl(operation, ['patch', object, '--type=merge', `--patch=${none}`]);
  const said = `${object} did not go within ${FORCED_AFTER_S} s: its finalizers were removed`;
  forced.push(said);
}

const FORCED_AFTER_S = 15;
