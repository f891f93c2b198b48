/** The builder: takes build commands from the durable queue and turns each into an image in the registry. */
import type { ConfirmChannel } from 'amqplib';
import { Delivery, deadLetter, untilConfirmed } from '../amqp/deliver.ts';
import { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import type { Start } from '../common/component.ts';
import { continueTrace } from '../common/trace.ts';
import type { Config } from '../config.ts';
import { EVENT, type Event, eventFromMessage, platformEvent } from '../events/cloudevent.ts';
import { BuildData, CancelData, COMMAND } from '../events/commands.ts';
import { Builds } from './builds.ts';
import { builderMetrics } from './metrics.ts';
import { type Jobs, processJobs } from './run-job.ts';

const GRACE_MS = 1500;

async function jobsOf(config: Config<'builder'>): Promise<Jobs> {
  if (config.JOBS === 'process') return processJobs;
  const { kanikoJobs } = await import('./run-kaniko.ts');
  return kanikoJobs({
    namespace: config.NAMESPACE,
    image: config.KANIKO_IMAGE,
    functionBase: config.FUNCTION_BASE_IMAGE,
    platform: config.PLATFORM_IMAGE,
    storeSecret: config.S3_SECRET_NAME,
  });
}

export const start: Start<'builder'> = async (config, log) => {
  let consuming: { channel: ConfirmChannel; tag: string } | undefined;
  const stopped = new AbortController();
  const ready = () => link.open && consuming !== undefined;
  const metrics = builderMetrics(config.NAMESPACE, ready, config.DEFECTS.has('metrics-lie'));

  const link = new BrokerLink('builder', config, log, async (channel, signal) => {
    await channel.prefetch(config.JOB_LIMIT);
    signal.addEventListener('abort', () => {
      consuming = undefined;
    });
    const consume = async () => {
      if (signal.aborted || stopped.signal.aborted) return;
      const { consumerTag } = await channel.consume(QUEUE.build, (message) => {
        if (message === null) channel.close().catch(() => {});
        else take(new Delivery(message, channel, signal));
      });
      consuming = { channel, tag: consumerTag };
      log.info('consuming', { queue: QUEUE.build, prefetch: config.JOB_LIMIT });
    };
    if (config.DEFECTS.has('slow-recovery'))
      setTimeout(() => consume().catch(() => {}), config.SLOW_RECOVERY_MS);
    else await consume();
  });
  const jobs = await jobsOf(config);
  const builds = new Builds(config, link, jobs, log, metrics);

  function take(delivery: Delivery): void {
    let event: Event;
    try {
      event = eventFromMessage(delivery.message.content);
      if (event.type === COMMAND.buildCancel) cancel(event, CancelData.parse(event.data), delivery);
      else builds.take(event, BuildData.parse(event.data), delivery);
    } catch (error) {
      const reason = `malformed: ${(error as Error).message}`;
      metrics.error('malformed');
      log.warn('command refused', { event_id: delivery.message.properties.messageId, reason });
      const dead = () => deadLetter(link, delivery.message, QUEUE.build, reason);
      untilConfirmed(dead, stopped.signal).then((told) => told && delivery.ack());
    }
  }

  function cancel(event: Event, data: CancelData, delivery: Delivery): void {
    const cancelled = builds.cancel(data.name, data.buildId);
    const trace = continueTrace(delivery.message.properties.headers?.traceparent, 'cancel');
    log.info('builds cancelled', {
      trace_id: trace.traceId,
      event_id: event.id,
      function: data.name,
      cancelled,
    });
    const response = platformEvent({
      type: EVENT.responseSuccess,
      namespace: config.NAMESPACE,
      name: data.name,
      cause: event.id,
      traceparent: trace.traceparent,
      id: `${event.id}.success`,
      data: { name: data.name, cancelled },
    });
    const publish = () =>
      link.publishEvent(EXCHANGE.events, response.type, response, { messageId: response.id });
    untilConfirmed(publish, stopped.signal).then((told) => told && delivery.ack());
  }

  link.start();
  return {
    registry: metrics.registry,
    ready,
    route: async () => false,
    async stop() {
      const current = consuming;
      consuming = undefined;
      stopped.abort();
      await current?.channel.cancel(current.tag).catch(() => {});
      await builds.stop(GRACE_MS);
      await jobs.stop();
      await link.stop();
    },
  };
};
