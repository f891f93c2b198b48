/**
 * Follows objects through the cluster's API, and knows whether it does. client-node's informer alone says neither that it is refused (its
 * start resolves) nor that its watch is away: what was would be taken for what is.
 */
import { type KubeConfig, type KubernetesObject, ListWatch, Watch } from '@kubernetes/client-node';
import { HarnessError } from '../../base/errors.ts';

const RECONNECT_MS = 500;
const FIRST_WITHIN_MS = 30_000;
/**
 * A watch of which nothing was heard for so long is opened anew, from where it was: a connection whose packets vanish is closed by nobody.
 * One that is idle and whole costs the server a connection then.
 */
const QUIET_MS = 5000;

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
  /** How long a watch may say nothing before it is opened anew; default: {@link QUIET_MS}. */
  quietMs?: number | undefined;
}

export interface Following {
  /**
   * For how long nobody has looked, ms; 0 while the watch stands. Counted from the last word that was heard, so that one that hung before it
   * was given up is not taken for one that stood. What happened meanwhile is told when it is back.
   */
  blindMs(): number;
  /** Since when the watch is known to be away, ms; 0 while it stands. One that is opened anew because it was quiet is away for a moment only. */
  awayMs(): number;
  stop(): Promise<void>;
}

/** Resolves when all that is there was told and the watch stands. @throws HarnessError when it is refused, or does not stand in time */
export async function follow<T extends KubernetesObject>(
  config: KubeConfig,
  { what, path, list, labelSelector, onSeen, onGone, quietMs = QUIET_MS }: Followed<T>,
): Promise<Following> {
  let stopped = false;
  let heard = performance.now();
  let awaySince: number | undefined = heard;
  const first = Promise.withResolvers<void>();
  const watch = new Watch(config);
  const open = watch.watch.bind(watch);
  watch.watch = async (...[where, query, onEvent, onDone]) => {
    let over = false;
    let hangs = false;
    let quiet: NodeJS.Timeout | undefined;
    const hear = () => {
      if (over) return;
      heard = performance.now();
      quiet?.refresh();
    };
    const tell: typeof onEvent = (...event) => {
      hear();
      onEvent(...event);
    };
    const connection = await open(where, query, tell, (error) => {
      over = true;
      clearTimeout(quiet);
      awaySince ??= performance.now();
      // Of this error, client-node opens the watch anew at once; of others it waits, or leaves it to us.
      onDone(hangs ? new DOMException(`nothing was heard for ${quietMs} ms`, 'TimeoutError') : error);
    });
    if (stopped) connection.abort();
    else if (!over) {
      awaySince = undefined;
      hear();
      quiet = setTimeout(() => {
        hangs = true;
        connection.abort();
      }, quietMs);
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
  const since = (then: number) => (awaySince === undefined ? 0 : performance.now() - then);
  return { blindMs: () => since(heard), awayMs: () => since(awaySince ?? 0), stop };
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
