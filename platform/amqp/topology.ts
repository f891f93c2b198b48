/** Exchanges, queues and bindings; every component asserts them, so that the order of start does not matter. */
import type { Channel } from 'amqplib';

export const EXCHANGE = {
  commands: 'knative-lambda.commands',
  deadLetters: 'knative-lambda.dlx',
  events: 'knative-lambda.events',
} as const;

export const QUEUE = {
  build: 'lambda-build-commands',
  function: 'lambda-function-commands',
  invocations: 'lambda-invocations',
  deadLetters: 'lambda-dead-letters',
  /** The build events for the operator: durable, so that none is lost while it is away. */
  operatorEvents: 'lambda-operator-events',
} as const;

/** Routing key of an asynchronous invocation on the commands exchange; commands have their event type as the key. */
export const INVOCATION_KEY = 'io.knative.lambda.invocation';

const BINDINGS: [queue: string, key: string, exchange?: string][] = [
  [QUEUE.build, 'io.knative.lambda.command.build.*'],
  [QUEUE.function, 'io.knative.lambda.command.function.*'],
  [QUEUE.function, 'io.knative.lambda.command.service.*'],
  [QUEUE.invocations, INVOCATION_KEY],
  [QUEUE.operatorEvents, 'io.knative.lambda.lifecycle.build.*', EXCHANGE.events],
];

/** Asserts the whole topology; idempotent. All queues are durable and of `queueType`. */
export async function assertTopology(channel: Channel, queueType: 'classic' | 'quorum'): Promise<void> {
  const type = { 'x-queue-type': queueType };
  await channel.assertExchange(EXCHANGE.commands, 'topic', { durable: true });
  await channel.assertExchange(EXCHANGE.events, 'topic', { durable: true });
  await channel.assertExchange(EXCHANGE.deadLetters, 'fanout', { durable: true });
  await channel.assertQueue(QUEUE.deadLetters, { durable: true, arguments: type });
  await channel.bindQueue(QUEUE.deadLetters, EXCHANGE.deadLetters, '');
  for (const queue of [QUEUE.build, QUEUE.function, QUEUE.invocations, QUEUE.operatorEvents])
    await channel.assertQueue(queue, {
      durable: true,
      arguments: { ...type, 'x-dead-letter-exchange': EXCHANGE.deadLetters },
    });
  for (const [queue, key, exchange] of BINDINGS)
    await channel.bindQueue(queue, exchange ?? EXCHANGE.commands, key);
}
