/** The operator: takes function and service commands, keeps LambdaFunctions, and brings each to what its spec wants. */
import type { ConsumeMessage } from 'amqplib';
import { ZodError } from 'zod';
import { Delivery, deadLetter, untilConfirmed } from '../amqp/deliver.ts';
import { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import type { Start } from '../common/component.ts';
import { sendJson } from '../common/http.ts';
import { type Logger, messageOf } from '../common/log.ts';
import { continueTrace } from '../common/trace.ts';
import type { Config } from '../config.ts';
import { EVENT, type Event, eventFromMessage, MalformedEvent, platformEvent } from '../events/cloudevent.ts';
import { COMMAND } from '../events/commands.ts';
import { applyCommand, CommandRefused } from './commands.ts';
import { type Deployer, processDeployer } from './deployer.ts';
import type { LambdaFunction } from './lambda-function.ts';
import { type OperatorMetrics, operatorMetrics } from './metrics.ts';
import { Reconciler } from './reconciler.ts';
import { FileStore, type Store } from './store.ts';
import { WorkQueue } from './workqueue.ts';

const PREFETCH = 50;

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

/** Where functions are kept, and where they run. */
async function groundOf(
  config: Config<'operator'>,
  log: Logger,
  metrics: OperatorMetrics,
  onNews: (name: string) => void,
): Promise<{ store: Store; deployer: Deployer; stop(): Promise<void> }> {
  if (config.FUNCTIONS === 'process') {
    const deployer = processDeployer(config.GATEWAY_URL);
    return { store: new FileStore(config.STATE_FILE, metrics.stored), deployer, stop: deployer.stop };
  }
  const { Cluster } = await import('../kubernetes/cluster.ts');
  const { ClusterStore } = await import('./cluster-store.ts');
  const { knativeDeployer } = await import('./knative-deployer.ts');
  const cluster = new Cluster(config.NAMESPACE);
  const store = new ClusterStore(cluster, log, metrics.stored);
  await store.load();
  const deployer = knativeDeployer(cluster, config, onNews);
  return {
    store,
    deployer,
    async stop() {
      store.stop();
      await deployer.stop();
    },
  };
}

export const start: Start<'operator'> = async (config, log) => {
  let tags: string[] = [];
  const stopped = new AbortController();
  const ready = () => link.open && tags.length > 0;
  const metrics = operatorMetrics(config.NAMESPACE, ready, () => ({
    phases: store.phases(),
    functions: store.size,
  }));
  const { store, deployer, stop } = await groundOf(config, log, metrics, (name) => queue.add(name));
  const queue = new WorkQueue((name) => reconciler.reconcile(name), metrics);
  const link: BrokerLink = new BrokerLink('operator', config, log, async (channel, signal) => {
    signal.addEventListener('abort', () => {
      tags = [];
    });
    await channel.prefetch(PREFETCH);
    const consume = async (queue: string, take: (delivery: Delivery) => Promise<void>) => {
      const handle = (message: ConsumeMessage | null) => {
        if (message === null) channel.close().catch(() => {});
        else
          take(new Delivery(message, channel, signal)).catch((error: unknown) => {
            log.error('message not taken', { reason: messageOf(error) });
            channel.close().catch(() => {});
          });
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
  const reconciler = new Reconciler(config.NAMESPACE, store, link, deployer, log, metrics);

  async function takeBuildEvent(event: Event): Promise<void> {
    if (event.type === EVENT.buildStarted) return;
    if (await reconciler.buildEnded(event)) queue.add(event.subject ?? '');
  }

  async function takeCommand(event: Event, delivery: Delivery): Promise<void> {
    const key = `${event.source} ${event.id}`;
    if (store.wasTaken(key)) return;
    const trace = continueTrace(delivery.message.properties.headers?.traceparent, 'apply');
    const known = { trace_id: trace.traceId, event_id: event.id, type: event.type, function: event.subject };
    const fn = applyCommand(store, event, trace.traceparent);
    await store.put(fn, key);
    trace.end();
    log.info('command taken', { ...known, function: fn.name, generation: fn.generation });
    if (event.type === COMMAND.update) metrics.service('updated');
    else if (fn.generation === 1 && event.type !== COMMAND.delete) metrics.service('created');
    queue.add(fn.name);
  }

  /** A command that cannot be carried out is answered with response.error and put among the dead letters. */
  async function take(
    delivery: Delivery,
    from: string,
    handle: (event: Event, delivery: Delivery) => Promise<void>,
  ): Promise<void> {
    let event: Event | undefined;
    try {
      event = eventFromMessage(delivery.message.content);
      await handle(event, delivery);
      delivery.ack();
    } catch (error) {
      const refused = error instanceof CommandRefused;
      if (!refused && !(error instanceof MalformedEvent) && !(error instanceof ZodError)) throw error;
      metrics.error(refused ? 'refused' : 'malformed');
      log.warn('command refused', { event_id: event?.id, type: event?.type, reason: error.message });
      if (await refuse(delivery, from, event, error.message)) delivery.ack();
    }
  }

  async function refuse(delivery: Delivery, from: string, event: Event | undefined, reason: string) {
    const dead = () => deadLetter(link, delivery.message, from, reason);
    if (!(await untilConfirmed(dead, stopped.signal))) return false;
    if (!event) return true;
    const { traceparent, end } = continueTrace(delivery.message.properties.headers?.traceparent, 'refuse');
    end(reason);
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
      await stop();
      await link.stop();
    },
  };
};
