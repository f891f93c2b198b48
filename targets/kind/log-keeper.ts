/** Keeps what containers say from their first line on: whoever a fault kills takes its log along, and the cluster forgets it. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { get, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, type V1ContainerStatus, type V1Pod } from '@kubernetes/client-node';
import type { Unkept } from '../target.ts';

/** A connection that breaks is taken up again, for as long as the container may still have something to say. */
const AGAIN_MS = 1000;
/** After the end of the run, for the last lines to come. */
const LAST_LINES_MS = 3000;

export interface Source {
  pod: string;
  container: string;
}

/**
 * Lines of one container, each `<RFC 3339 instant> <text>`, until it has ended. @param since an instant: none from before it
 * @param onOpen called when the connection stands: a container may have nothing to say
 * @throws Error when the connection breaks
 */
export type Follow = (
  source: Source,
  since: string | undefined,
  signal: AbortSignal,
  onOpen: () => void,
) => AsyncIterable<string>;

export class LogKeeper {
  private readonly directory: string;
  private readonly follow: Follow;
  private readonly files = new Map<string, WriteStream>();
  private readonly followed = new Map<string, Promise<void>>();
  /** By file, its containers, and why nobody hears each of those that are not heard. */
  private readonly sources = new Map<string, Map<Source, string | undefined>>();
  /** Files that can not be written. */
  private readonly broken = new Map<string, string>();
  private readonly end = new AbortController();

  constructor(directory: string, follow: Follow) {
    this.directory = directory;
    this.follow = follow;
  }

  /** Follows those of the pod's containers that have begun. @param name of the file, without `.log` */
  see(pod: V1Pod, name: string): void {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
    for (const status of [...initContainerStatuses, ...containerStatuses]) {
      const { containerID, state } = status;
      if (!containerID || this.followed.has(containerID) || (!state?.running && !state?.terminated)) continue;
      const source = { pod: pod.metadata?.name ?? '', container: status.name };
      const heard = this.sources.get(name) ?? new Map<Source, string | undefined>();
      this.sources.set(name, heard);
      this.followed.set(containerID, this.keep(source, this.file(name), heard));
    }
  }

  /** Waits for the last lines of what has ended, and leaves the rest. @returns what could not be kept */
  async stop(): Promise<Unkept[]> {
    const all = Promise.all(this.followed.values());
    await Promise.race([all, sleep(LAST_LINES_MS)]);
    this.end.abort();
    await all;
    await Promise.all([...this.files.values()].map((file) => new Promise((done) => file.end(done))));
    return [...this.sources].flatMap(([name, heard]) => {
      const unheard = [...heard.values()].filter((reason) => reason !== undefined);
      const said = `${unheard.length} of ${heard.size} containers were not heard at the end: ${unheard.at(-1)}`;
      return [this.broken.get(name), ...(unheard.length > 0 ? [said] : [])].flatMap((reason) =>
        reason === undefined ? [] : [{ file: `${name}.log`, reason }],
      );
    });
  }

  private file(name: string): WriteStream {
    const there = this.files.get(name);
    if (there) return there;
    const made = createWriteStream(join(this.directory, `${name}.log`), { flags: 'a' });
    // A full disk ends the run by its journal; logs are for people.
    made.on('error', ({ message }) => this.broken.set(name, message));
    this.files.set(name, made);
    return made;
  }

  private async keep(
    source: Source,
    file: WriteStream,
    heard: Map<Source, string | undefined>,
  ): Promise<void> {
    let last: string | undefined;
    const onOpen = () => heard.set(source, undefined);
    heard.set(source, undefined);
    while (!this.end.signal.aborted) {
      try {
        for await (const line of this.follow(source, last, this.end.signal, onOpen)) {
          const at = line.slice(0, line.indexOf(' '));
          // Asked again from an instant on, the cluster begins with the whole second.
          if (last !== undefined && at <= last) continue;
          file.write(`${at} [${source.pod}/${source.container}]${line.slice(at.length)}\n`);
          last = at;
        }
        return;
      } catch (error) {
        if (error instanceof GoneError) {
          // A connection that broke because its pod was killed had what there was.
          if (last !== undefined) heard.set(source, undefined);
          return;
        }
        if (!this.end.signal.aborted) heard.set(source, (error as Error).message);
        await sleep(AGAIN_MS, undefined, { signal: this.end.signal }).catch(() => {});
      }
    }
  }
}

/** The pod is not there any more. */
class GoneError extends Error {}

/** By the cluster's API. */
export function followByApi(kubeconfig: string, namespace: string): Follow {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const server = config.getCurrentCluster()?.server ?? '';
  return async function* ({ pod, container }, since, signal, onOpen) {
    const url = new URL(`${server}/api/v1/namespaces/${namespace}/pods/${pod}/log`);
    const asked = { container, follow: 'true', timestamps: 'true', ...(since ? { sinceTime: since } : {}) };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    const options: RequestOptions = { signal, agent: false };
    await config.applyToHTTPSOptions(options);
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      get(url, options, resolve).on('error', reject);
    });
    // After the headers, what breaks the request breaks the lines below.
    response.on('error', () => {});
    if (response.statusCode === 404) throw new GoneError();
    if (response.statusCode !== 200) throw new Error(`${url.pathname}: ${response.statusCode}`);
    onOpen();
    yield* createInterface(response);
    if (!response.complete) throw new Error('the connection broke');
  };
}

/** Of a container, what tells how it is. */
export function stateOf({ state, restartCount, ready, lastState }: V1ContainerStatus): string {
  const { running, waiting, terminated } = state ?? {};
  const now = running
    ? ready
      ? 'ready'
      : 'running'
    : (waiting?.reason ?? (terminated ? endOf(terminated) : 'unknown'));
  const before = lastState?.terminated ? `, before: ${endOf(lastState.terminated)}` : '';
  return `${now}${restartCount > 0 ? ` (${restartCount} restarts${before})` : ''}`;
}

const endOf = ({ reason, exitCode }: { reason?: string; exitCode: number }) =>
  `${reason ?? 'ended'}, code ${exitCode}`;
