/** The gateway: invocations over HTTP and from the queue, and the life of the functions' processes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Delivery } from '../amqp/deliver.ts';
import { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import type { Start } from '../common/component.ts';
import { readBody, sendJson } from '../common/http.ts';
import { type Logger, messageOf } from '../common/log.ts';
import { continueTrace } from '../common/trace.ts';
import type { Config } from '../config.ts';
import { EVENT, eventFromMessage } from '../events/cloudevent.ts';
import { FunctionName } from '../events/commands.ts';
import { Catalog } from './catalog.ts';
import { EventInvocations } from './events.ts';
import { type Functions, processFunctions } from './functions.ts';
import { failureOf, Invoker } from './invoke.ts';
import { type GatewayMetrics, gatewayMetrics } from './metrics.ts';

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
  // For the gateway alone.
  'x-lambda-instance',
  'x-lambda-instance-age-ms',
]);

const passed = (headers: NodeJS.Dict<string | string[]>) => {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !NOT_PASSED.has(name)) result[name] = String(value);
  return result;
};

async function functionsOf(
  config: Config<'gateway'>,
  log: Logger,
  metrics: GatewayMetrics,
): Promise<Functions> {
  if (config.FUNCTIONS === 'process') return processFunctions(config, log, metrics);
  const { knativeFunctions } = await import('./knative-functions.ts');
  return knativeFunctions(config, log, metrics);
}

export const start: Start<'gateway'> = async (config, log) => {
  let consumerTag: string | undefined;
  const ready = () => link.open && consumerTag !== undefined;
  const metrics = gatewayMetrics(config.NAMESPACE, ready, config.DEFECTS.has('metrics-lie'), function* () {
    for (const { name, inflight, waiting } of functions.states()) yield [name, inflight + waiting];
  });
  const catalog = new Catalog(config.OPERATOR_URL, {
    maxScale: config.MAX_SCALE,
    targetConcurrency: config.TARGET_CONCURRENCY,
  });
  const functions = await functionsOf(config, log, metrics);
  const invoker = new Invoker(catalog, (spec) => functions.of(spec), metrics);

  /** Learns the present state of a function: its pool is made, brought up to date, or closed. */
  const refresh = async (name: string) => {
    catalog.invalidate(name);
    const known = await catalog.get(name);
    if (known.state === 'runnable') functions.of(known.spec).tick();
    else if (known.state === 'absent') await functions.remove(name);
  };
  const refreshAll = async () => {
    catalog.invalidate();
    const names = new Set([...(await catalog.list()), ...functions.states().map(({ name }) => name)]);
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
    const trace = continueTrace(req.headers.traceparent, 'invoke');
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
    trace.end(failureOf(result));
  }

  link.start();

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
      if (path === '/functions') {
        sendJson(res, 200, { items: functions.states() });
        return true;
      }
      const state = functions.states().find(({ name }) => path === `/functions/${name}`);
      if (!state) return (await functions.route?.(req, res, path)) ?? false;
      sendJson(res, 200, state);
      return true;
    },
    async stop() {
      const tag = consumerTag;
      consumerTag = undefined;
      if (tag) await link.channel?.cancel(tag).catch(() => {});
      await invocations.stop(GRACE_MS);
      await functions.stop();
      await link.stop();
    },
  };
};
