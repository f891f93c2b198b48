/** The operator: takes function and service commands, keeps LambdaFunctions, and brings each to what its spec wants. */
import type { ConsumeMessage } from 'amqplib';
import { ZodError } from 'zod';
import { Delivery, deadLetter, untilConfirmed } from '../amqp/deliver.ts';
import { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import { MEDIA } from '../builder/oci-image.ts';
import type { Start } from '../common/component.ts';
import { sendJson } from '../common/http.ts';
import { continueTrace } from '../common/trace.ts';
import { wire } from '../common/wire.ts';
import { EVENT, type Event, eventFromMessage, MalformedEvent, platformEvent } from '../events/cloudevent.ts';
import { COMMAND } from '../events/commands.ts';
import { applyCommand, CommandRefused } from './commands.ts';
import type { LambdaFunction } from './lambda-function.ts';
import { operatorMetrics } from './metrics.ts';
import { type Probe, Reconciler } from './reconciler.ts';
import { Store } from './store.ts';
import { WorkQueue } from './workqueue.ts';

const PREFETCH = 50;
const PROBE_TIMEOUT_MS = 5000;

/** Through the gateway when there is one, as it is who must have the image; else the registry that the builder named. */
function probeThrough(gateway: string | undefined): Probe {
  return async ({ image, digest, registry }) => {
    const query = new URLSearchParams({ image, digest });
    const url = gateway ? `${gateway}/resolve?${query}` : `${registry}/v2/${image}/manifests/${digest}`;
    const method = gateway ? 'GET' : 'HEAD';
    const { status } = await wire({
      method,
      url,
      headers: { accept: gateway ? 'application/json' : MEDIA.manifest },
      timeoutMs: PROBE_TIMEOUT_MS,
    });
    if (status !== 200 && status !== 404) throw new Error(`probe: ${status}`);
    return status === 200;
  };
}

/** A function as the API shows it. */
const shown = ({ name, uid, generation, spec, status }: LambdaFunction) => ({
  name,
  uid,
  generation,
  phase: status.phase,
  message: status.message,
  conditions: status.conditions,
  image: status.current?.image,
  digest: status.current?.digest,
  handler: status.current?.handler,
  scaling: spec.scaling,
  spec: { runtime: spec.runtime, scaling: spec.scaling, env: spec.env, source: { type: spec.source.type } },
  history: status.history.map((each) => each.digest),
});

export const start: Start<'operator'> = async (config, log) => {
  let tags: string[] = [];
  const stopped = new AbortController();
  const ready = () => link.open && tags.length > 0;
  const metrics = operatorMetrics(config.NAMESPACE, ready, () => ({
    phases: store.phases(),
    functions: store.size,
  }));
  const store = new Store(config.STATE_FILE, metrics.stored);
  const link: BrokerLink = new BrokerLink('operator', config, log, async (channel, signal) => {
    signal.addEventListener('abort', () => {
      tags = [];
    });
    await channel.prefetch(PREFETCH);
    const consume = async (queue: string, take: (delivery: Delivery) => void) => {
      const handle = (message: ConsumeMessage | null) => {
        if (message === null) channel.close().catch(() => {});
        else take(new Delivery(message, channel, signal));
      };
      return (await channel.consume(queue, handle)).consumerTag;
    };
    tags = [
      await consume(QUEUE.function, (delivery) => take(delivery, QUEUE.function, takeCommand)),
      await consume(QUEUE.operatorEvents, (delivery) => take(delivery, QUEUE.operatorEvents, takeBuildEvent)),
    ];
    log.info('consuming', { queue: QUEUE.function, prefetch: PREFETCH });
    for (const fn of store.list()) queue.add(fn.name);
  });
  const probe = probeThrough(config.GATEWAY_URL);
  const reconciler = new Reconciler(config.NAMESPACE, store, link, probe, log, metrics);
  const queue = new WorkQueue((name) => reconciler.reconcile(name), metrics);

  function takeBuildEvent(event: Event): void {
    if (event.type !== EVENT.buildStarted && reconciler.buildEnded(event)) queue.add(event.subject ?? '');
  }

  function takeCommand(event: Event, delivery: Delivery): void {
    const key = `${event.source} ${event.id}`;
    if (store.wasTaken(key)) return;
    const trace = continueTrace(delivery.message.properties.headers?.traceparent);
    const known = { trace_id: trace.traceId, event_id: event.id, type: event.type, function: event.subject };
    const fn = applyCommand(store, event, trace.traceparent);
    store.put(fn, key);
    log.info('command taken', { ...known, function: fn.name, generation: fn.generation });
    if (event.type === COMMAND.update) metrics.service('updated');
    else if (fn.generation === 1 && event.type !== COMMAND.delete) metrics.service('created');
    queue.add(fn.name);
  }

  /** A command that cannot be carried out is answered with response.error and put among the dead letters. */
  function take(delivery: Delivery, from: string, handle: (event: Event, delivery: Delivery) => void): void {
    let event: Event | undefined;
    try {
      event = eventFromMessage(delivery.message.content);
      handle(event, delivery);
      delivery.ack();
    } catch (error) {
      const refused = error instanceof CommandRefused;
      if (!refused && !(error instanceof MalformedEvent) && !(error instanceof ZodError)) throw error;
      metrics.error(refused ? 'refused' : 'malformed');
      log.warn('command refused', { event_id: event?.id, type: event?.type, reason: error.message });
      refuse(delivery, from, event, error.message).then((told) => told && delivery.ack());
    }
  }

  async function refuse(delivery: Delivery, from: string, event: Event | undefined, reason: string) {
    const dead = () => deadLetter(link, delivery.message, from, reason);
    if (!(await untilConfirmed(dead, stopped.signal))) return false;
    if (!event) return true;
    const { traceparent } = continueTrace(delivery.message.properties.headers?.traceparent);
    const name = String((event.data as { name?: unknown } | undefined)?.name ?? event.subject ?? 'unknown');
    const response = platformEvent({
      type: EVENT.responseError,
      namespace: config.NAMESPACE,
      name,
      cause: event.id,
      traceparent,
      id: `${event.id}.error`,
      data: { name, message: reason },
    });
    const publish = () =>
      link.publishEvent(EXCHANGE.events, response.type, response, {
        messageId: response.id,
        type: response.type,
      });
    return untilConfirmed(publish, stopped.signal);
  }

  link.start();
  return {
    registry: metrics.registry,
    ready,
    async route(req, res, path) {
      if (req.method !== 'GET') return false;
      if (path === '/functions') {
        sendJson(res, 200, { items: store.list().map(shown) });
        return true;
      }
      if (!path.startsWith('/functions/')) return false;
      const fn = store.get(decodeURIComponent(path.slice('/functions/'.length)));
      if (!fn) return false;
      sendJson(res, 200, shown(fn));
      return true;
    },
    async stop() {
      const current = tags;
      tags = [];
      for (const tag of current) await link.channel?.cancel(tag).catch(() => {});
      await queue.stop(1000);
      stopped.abort();
      await link.stop();
    },
  };
};
