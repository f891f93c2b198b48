/** The gateway: invocations over HTTP and from the queue, and the life of the functions' processes. */
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Delivery } from '../amqp/deliver.ts';
import { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import type { Start } from '../common/component.ts';
import { readBody, sendJson } from '../common/http.ts';
import { messageOf } from '../common/log.ts';
import { Slots } from '../common/slots.ts';
import { continueTrace } from '../common/trace.ts';
import { EVENT, eventFromMessage } from '../events/cloudevent.ts';
import { FunctionName } from '../events/commands.ts';
import { Catalog, type FunctionSpec } from './catalog.ts';
import { EventInvocations } from './events.ts';
import { ImageError, Images } from './images.ts';
import { Invoker } from './invoke.ts';
import { gatewayMetrics } from './metrics.ts';
import { Pool } from './pool.ts';

const BODY_LIMIT = 6 * 1024 * 1024;
const PREFETCH = 100;
const GRACE_MS = 1200;
/** Hop by hop, or set anew. */
const NOT_PASSED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
  'host',
  'expect',
]);

const passed = (headers: NodeJS.Dict<string | string[]>) => {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !NOT_PASSED.has(name)) result[name] = String(value);
  return result;
};

export const start: Start<'gateway'> = async (config, log) => {
  const directory = resolve(config.WORK_DIR);
  await mkdir(directory, { recursive: true });
  // Sockets are named relative to here: the path of a Unix socket may have 107 bytes only.
  process.chdir(directory);
  await rm('s', { recursive: true, force: true });
  await mkdir('s');

  let consumerTag: string | undefined;
  const pools = new Map<string, Pool>();
  const ready = () => link.open && consumerTag !== undefined;
  const metrics = gatewayMetrics(config.NAMESPACE, ready, config.DEFECTS.has('metrics-lie'), function* () {
    for (const [name, pool] of pools) yield [name, pool.concurrency];
  });
  const images = new Images(config.REGISTRY_URL, resolve(directory, 'images'));
  const catalog = new Catalog(config.OPERATOR_URL, {
    maxScale: config.MAX_SCALE,
    targetConcurrency: config.TARGET_CONCURRENCY,
  });
  // More starts at a time would only make each of them slower.
  const starts = new Slots(availableParallelism() * 2);
  const options = {
    idleMs: config.IDLE_MS,
    coldStartTimeoutMs: config.COLD_START_TIMEOUT_MS,
    sockets: 's',
    forgetsScaleToZero: config.DEFECTS.has('forgets-scale-to-zero'),
  };
  const specs = new WeakMap<Pool, FunctionSpec>();
  const poolOf = (spec: FunctionSpec): Pool => {
    let pool = pools.get(spec.name);
    if (!pool) {
      pool = new Pool(spec, options, images, starts, log, metrics);
      pools.set(spec.name, pool);
    } else if (specs.get(pool) !== spec) pool.update(spec);
    specs.set(pool, spec);
    return pool;
  };
  const invoker = new Invoker(catalog, poolOf, metrics);

  /** Learns the present state of a function: its pool is made, brought up to date, or closed. */
  const refresh = async (name: string) => {
    catalog.invalidate(name);
    const known = await catalog.get(name);
    if (known.state === 'runnable') poolOf(known.spec).tick();
    else if (known.state === 'absent') {
      const pool = pools.get(name);
      pools.delete(name);
      await pool?.close('deleted');
    }
  };
  const refreshAll = async () => {
    catalog.invalidate();
    const names = new Set([...(await catalog.list()), ...pools.keys()]);
    for (const name of names) await refresh(name);
  };
  const quietly = (work: Promise<void>) =>
    work.catch((error: unknown) => {
      metrics.error('operator_unavailable');
      log.warn('operator unavailable', { reason: messageOf(error) });
    });

  const link: BrokerLink = new BrokerLink('gateway', config, log, async (channel, signal) => {
    signal.addEventListener('abort', () => {
      consumerTag = undefined;
    });
    const own = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    await channel.bindQueue(own.queue, EXCHANGE.events, 'io.knative.lambda.lifecycle.service.*');
    await channel.consume(
      own.queue,
      (message) => {
        if (message === null) return;
        const event = eventFromMessage(message.content);
        if (event.type === EVENT.serviceCreated || event.type === EVENT.serviceDeleted)
          quietly(refresh(event.subject ?? ''));
      },
      { noAck: true },
    );
    await channel.prefetch(PREFETCH);
    const consumer = await channel.consume(QUEUE.invocations, (message) => {
      if (message === null) channel.close().catch(() => {});
      else invocations.take(new Delivery(message, channel, signal));
    });
    consumerTag = consumer.consumerTag;
    log.info('consuming', { queue: QUEUE.invocations, prefetch: PREFETCH });
    // What changed while there was no connection was not heard.
    quietly(refreshAll());
  });
  const invocations = new EventInvocations(config.NAMESPACE, link, invoker, log, metrics);

  async function invokeOverHttp(req: IncomingMessage, res: ServerResponse, name: string, path: string) {
    const trace = continueTrace(req.headers.traceparent);
    const id = req.headers['ce-id'];
    const call = {
      method: req.method ?? 'GET',
      path,
      headers: { ...passed(req.headers), traceparent: trace.traceparent },
    };
    const echo: Record<string, string> = typeof id === 'string' ? { 'ce-id': id } : {};
    const result = await invoker.invoke(
      name,
      call,
      () => readBody(req, BODY_LIMIT),
      () => res.destroyed,
    );
    if (result.kind === 'absent') sendJson(res, 404, { error: 'no such function', reason: name }, echo);
    else if (result.kind === 'failed') {
      log.warn('invocation failed', {
        function: name,
        status: result.status,
        reason: result.reason,
        trace_id: trace.traceId,
        event_id: id,
      });
      const headers = result.status === 503 ? { ...echo, 'retry-after': '1' } : echo;
      sendJson(res, result.status, { error: 'invocation failed', reason: result.reason }, headers);
    } else if (!res.destroyed) {
      const { answer, cold } = result;
      res.writeHead(answer.status, {
        ...passed(answer.headers),
        ...echo,
        ...(cold ? { 'x-lambda-cold-start': 'true' } : {}),
        'content-length': answer.body.length,
      });
      res.end(answer.body);
    }
  }

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

  link.start();
  const ticker = setInterval(() => {
    for (const pool of pools.values()) pool.tick();
  }, config.SCALE_INTERVAL_MS);

  return {
    registry: metrics.registry,
    ready,
    async route(req, res, path) {
      const match = /^\/fn\/([^/]+)(\/.*)?$/.exec(path);
      if (match) {
        const name = FunctionName.safeParse(match[1]);
        const rest = `${match[2] ?? '/'}${(req.url ?? '').slice(path.length)}`;
        if (!name.success) sendJson(res, 404, { error: 'no such function' });
        else await invokeOverHttp(req, res, name.data, rest);
        return true;
      }
      if (path === '/resolve') await resolvable(req, res);
      else if (path === '/functions')
        sendJson(res, 200, { items: [...pools.values()].map((pool) => pool.state) });
      else if (path.startsWith('/functions/') && pools.has(path.slice(11)))
        sendJson(res, 200, pools.get(path.slice(11))?.state);
      else return false;
      return true;
    },
    async stop() {
      clearInterval(ticker);
      const tag = consumerTag;
      consumerTag = undefined;
      if (tag) await link.channel?.cancel(tag).catch(() => {});
      await invocations.stop(GRACE_MS);
      await Promise.all([...pools.values()].map((pool) => pool.close('shutdown')));
      await link.stop();
      await rm('s', { recursive: true, force: true });
    },
  };
};
