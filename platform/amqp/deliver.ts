/** Consuming with manual acknowledgement, and telling the broker something until it has confirmed it. */
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { fullJitter } from '../common/backoff.ts';
import type { BrokerLink } from './link.ts';
import { EXCHANGE } from './topology.ts';

/** One delivery of a message; it can be settled only on the connection that it came by. */
export class Delivery {
  readonly message: ConsumeMessage;
  readonly #channel: ConfirmChannel;
  readonly #signal: AbortSignal;
  #settled = false;

  constructor(message: ConsumeMessage, channel: ConfirmChannel, signal: AbortSignal) {
    this.message = message;
    this.#channel = channel;
    this.#signal = signal;
  }

  /** The connection that it came by is gone, so the broker delivers the message again. */
  get stale(): boolean {
    return this.#signal.aborted;
  }

  ack(): void {
    this.#settle((channel) => channel.ack(this.message));
  }

  #settle(act: (channel: ConfirmChannel) => void): void {
    if (this.#settled || this.stale) return;
    this.#settled = true;
    try {
      act(this.#channel);
    } catch {
      // The channel closed just now: the broker delivers the message again.
    }
  }
}

/** Publishes again and again until the broker confirmed; false when `signal` ended the attempts before. */
export async function untilConfirmed(publish: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await publish();
      return true;
    } catch {
      const delay = 20 + fullJitter(attempt, 100, 500);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, delay);
        function done() {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        }
        signal.addEventListener('abort', done, { once: true });
      });
    }
  }
  return false;
}

/** Puts a message among the dead letters, with the reason in header `x-failure-reason`. */
export function deadLetter(
  link: BrokerLink,
  message: ConsumeMessage,
  queue: string,
  reason: string,
): Promise<void> {
  const { contentType, messageId, type } = message.properties;
  return link.publish(EXCHANGE.deadLetters, message.fields.routingKey, message.content, {
    contentType,
    messageId,
    type,
    headers: {
      traceparent: message.properties.headers?.traceparent,
      'x-failure-reason': reason.slice(0, 1000),
      'x-original-queue': queue,
    },
  });
}

/** When the message was published (milliseconds since the epoch), by its publisher's clock. */
export function publishedMs(message: ConsumeMessage): number | undefined {
  const value: unknown = message.properties.headers?.['x-published-ms'];
  return typeof value === 'number' ? value : undefined;
}
