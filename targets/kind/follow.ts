/**
 * Follows objects through the cluster's API, and knows whether it does. client-node's informer alone says neither that it is refused (its
 * start resolves) nor that its watch is away: what was would be taken for what is.
 */
import { type KubeConfig, type KubernetesObject, ListWatch, Watch } from '@kubernetes/client-node';
import { HarnessError } from '../../base/errors.ts';

const RECONNECT_MS = 500;
const FIRST_WITHIN_MS = 30_000;

export interface Followed<T> {
  /** For people: `namespaces`, `pods of namespace lab`. */
  what: string;
  /** Below the API server. */
  path: string;
  list(): Promise<unknown>;
  labelSelector?: string;
  /** Of each that is there, and of each change. */
  onSeen(object: T): void;
  onGone?(object: T): void;
}

export interface Following {
  /**
   * For how long nobody has looked, ms; 0 while the watch stands. What happened meanwhile is told when it is back. A connection that hangs
   * is noticed after 30 s (client-node's own bound).
   */
  blindMs(): number;
  stop(): Promise<void>;
}

/** Resolves when all that is there was told and the watch stands. @throws HarnessError when it is refused, or does not stand in time */
export async function follow<T extends KubernetesObject>(
  config: KubeConfig,
  { what, path, list, labelSelector, onSeen, onGone }: Followed<T>,
): Promise<Following> {
  let stopped = false;
  let blindSince: number | undefined = performance.now();
  const first = Promise.withResolvers<void>();
  const watch = new Watch(config);
  const open = watch.watch.bind(watch);
  watch.watch = async (...[where, query, onEvent, onDone]) => {
    let over = false;
    const connection = await open(where, query, onEvent, (error) => {
      over = true;
      blindSince ??= performance.now();
      onDone(error);
    });
    if (stopped) connection.abort();
    else if (!over) {
      blindSince = undefined;
      first.resolve();
    }
    return connection;
  };
  const informer = new ListWatch<T>(path, watch, list as never, false, labelSelector);
  informer.on('add', onSeen);
  informer.on('update', onSeen);
  if (onGone) informer.on('delete', onGone);
  const start = () => void (stopped || informer.start().catch(failed));
  let last: unknown = new Error(`no answer in ${FIRST_WITHIN_MS / 1000} s`);
  const failed = (error: unknown) => {
    last = error;
    // Any other may be over in a second: a server that is busy, a kind that was made just now.
    if (isForbidden(error)) first.reject(refusal(what, error));
    if (!stopped) setTimeout(start, RECONNECT_MS);
  };
  informer.on('error', failed);
  const stop = () => {
    stopped = true;
    return informer.stop();
  };
  const late = setTimeout(() => first.reject(refusal(what, last)), FIRST_WITHIN_MS);
  start();
  try {
    await first.promise;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(late);
  }
  return { blindMs: () => (blindSince === undefined ? 0 : performance.now() - blindSince), stop };
}

function isForbidden(cause: unknown): boolean {
  const { code, statusCode } = cause as { code?: number | string; statusCode?: number };
  return [401, 403].includes(Number(statusCode ?? code));
}

/** Of lists, client-node has `code` and what the server said; of watches `statusCode` alone. */
function refusal(what: string, cause: unknown): HarnessError {
  const { code, statusCode, body, message } = cause as Error & {
    code?: number | string;
    statusCode?: number;
    body?: unknown;
  };
  const status = statusCode ?? code;
  const said = /"message":\s*("(?:[^"\\]|\\.)*")/.exec(
    typeof body === 'string' ? body : JSON.stringify(body ?? ''),
  );
  const why = said ? (JSON.parse(said[1] as string) as string) : message.split('\n')[0];
  return new HarnessError(
    isForbidden(cause)
      ? `the kubeconfig's user may not list and watch ${what}, which a run must: the API server answered ${status}: ${why}`
      : `${what} can not be followed: ${why}`,
    { cause },
  );
}
