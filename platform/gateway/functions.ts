/** Where functions run, as the gateway sees it. Here: processes of this host, in one pool a function. */
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { sendJson } from '../common/http.ts';
import type { Logger } from '../common/log.ts';
import { Slots } from '../common/slots.ts';
import type { Config } from '../config.ts';
import type { FunctionSpec } from './catalog.ts';
import { ImageError, Images } from './images.ts';
import type { GatewayMetrics } from './metrics.ts';
import { type Lease, Pool } from './pool.ts';

/** One function that can be called. */
export interface Runner {
  /** Someone to call; waits for one. Rejects with NoInstance. */
  lease(): Promise<Lease>;
  /** Looks at once whether the number of instances is right. */
  tick(): void;
}

export interface FunctionState {
  name: string;
  digest: string;
  instances: number;
  ready: number;
  inflight: number;
  waiting: number;
  pids?: (number | undefined)[];
}

export interface Functions {
  /** The function as this spec has it. */
  of(spec: FunctionSpec): Runner;
  /** It was deleted. */
  remove(name: string): Promise<void>;
  states(): FunctionState[];
  /** Further paths of the gateway's API; false when the path is none of them. */
  route?(req: IncomingMessage, res: ServerResponse, path: string): Promise<boolean>;
  stop(): Promise<void>;
}

export async function processFunctions(
  config: Config<'gateway'>,
  log: Logger,
  metrics: GatewayMetrics,
): Promise<Functions> {
  const directory = resolve(config.WORK_DIR);
  await mkdir(directory, { recursive: true });
  // Sockets are named relative to here: the path of a Unix socket may have 107 bytes only.
  process.chdir(directory);
  await rm('s', { recursive: true, force: true });
  await mkdir('s');

  const images = new Images(config.REGISTRY_URL, resolve(directory, 'images'));
  // More starts at a time would only make each of them slower.
  const starts = new Slots(availableParallelism() * 2);
  const options = {
    idleMs: config.IDLE_MS,
    coldStartTimeoutMs: config.COLD_START_TIMEOUT_MS,
    sockets: 's',
    forgetsScaleToZero: config.DEFECTS.has('forgets-scale-to-zero'),
  };
  const pools = new Map<string, Pool>();
  const specs = new WeakMap<Pool, FunctionSpec>();
  const ticker = setInterval(() => {
    for (const pool of pools.values()) pool.tick();
  }, config.SCALE_INTERVAL_MS);

  async function resolvable(req: IncomingMessage, res: ServerResponse) {
    const query = new URL(req.url ?? '/', 'http://gateway').searchParams;
    const [image, digest] = [query.get('image'), query.get('digest')];
    if (!image || !digest) return sendJson(res, 400, { error: 'image and digest are needed' });
    try {
      const there = await images.resolvable(image, digest);
      sendJson(res, there ? 200 : 404, { resolvable: there });
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      metrics.error('registry');
      sendJson(res, 502, { error: 'registry', reason: error.message });
    }
  }

  return {
    of(spec) {
      let pool = pools.get(spec.name);
      if (!pool) {
        pool = new Pool(spec, options, images, starts, log, metrics);
        pools.set(spec.name, pool);
      } else if (specs.get(pool) !== spec) pool.update(spec);
      specs.set(pool, spec);
      return pool;
    },
    async remove(name) {
      const pool = pools.get(name);
      pools.delete(name);
      await pool?.close('deleted');
    },
    states: () => [...pools.values()].map((pool) => pool.state),
    async route(req, res, path) {
      if (path !== '/resolve') return false;
      await resolvable(req, res);
      return true;
    },
    async stop() {
      clearInterval(ticker);
      await Promise.all([...pools.values()].map((pool) => pool.close('shutdown')));
      await rm('s', { recursive: true, force: true });
    },
  };
}
