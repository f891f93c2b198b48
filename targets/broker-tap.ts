/**
 * The ledger's tap: a queue of the harness's own on the platform's event exchange. It keeps every terminal event,
 * whatever the platform's metrics say, and survives the partition of the platform from its broker, since the harness
 * connects by a way of its own. A lost connection is made again; the queue keeps what comes meanwhile.
 */
import amqp, { type ChannelModel } from 'amqplib';
import { z } from 'zod';
import type { Processed, Result, Tap } from './tap.ts';

/** Terminal events end the platform's debt for one CloudEvent. Source: PLATFORM.md, "Events out". */
const TERMINAL: Record<string, Result> = {
  'io.knative.lambda.lifecycle.service.created': 'ready',
  'io.knative.lambda.lifecycle.build.completed': 'completed',
  'io.knative.lambda.lifecycle.build.failed': 'failed',
  'io.knative.lambda.response.success': 'success',
  'io.knative.lambda.response.error': 'error',
};

const TerminalEvent = z.object({
  id: z.string(),
  type: z.string(),
  correlationid: z.string(),
  data: z.object({ image: z.string().optional(), digest: z.string().optional() }).optional(),
});

const EXCHANGE = 'knative-lambda.events';
const QUEUE = 'faultline-tap';

/**
 * @param queueType `quorum` where the broker has several nodes: what is published while the one node of a classic queue is away
 * never reaches it, and would look as if the platform had lost it
 * @throws Error when the first connection fails
 */
export async function openBrokerTap(brokerUrl: string, queueType: 'classic' | 'quorum'): Promise<Tap> {
  const processed = new Map<string, Processed>();
  const garbled: string[] = [];
  let closing = false;
  let model: ChannelModel | undefined;
  let listening = false;

  const connect = async (): Promise<void> => {
    const connection = await amqp.connect(`${brokerUrl}?heartbeat=5`, { timeout: 2000 });
    connection.on('error', () => {});
    try {
      await consume(connection);
    } catch (error) {
      // A connection without a consumer is of no use: left open, each attempt would leave one more behind.
      await connection.close().catch(() => {});
      throw error;
    }
    model = connection;
    listening = true;
    connection.on('close', () => {
      listening = false;
      void reconnect();
    });
  };
  const consume = async (connection: ChannelModel): Promise<void> => {
    const channel = await connection.createChannel();
    // What ends the channel alone (its queue's node went away) must not leave a connection that hears nothing.
    channel.on('error', () => {});
    channel.on('close', () => void connection.close().catch(() => {}));
    await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': queueType } });
    await channel.bindQueue(QUEUE, EXCHANGE, '#');
    await channel.consume(QUEUE, (message) => {
      // The broker took the consumer away: so may it the channel, and all begins anew.
      if (!message) return void channel.close().catch(() => {});
      note(message.content, message.fields.redelivered);
      channel.ack(message);
    });
  };
  const reconnect = async (): Promise<void> => {
    while (!closing) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      try {
        return await connect();
      } catch {
        // The broker is away; the queue is durable and keeps what comes.
      }
    }
  };
  const note = (content: Buffer, redelivered: boolean): void => {
    const now = Date.now();
    try {
      const event = TerminalEvent.safeParse(JSON.parse(content.toString('utf8')));
      // Events that are not about one causing event have no correlationid and are no terminal ones.
      if (!event.success) return;
      const result = TERMINAL[event.data.type];
      if (result === undefined) return;
      const known = processed.get(event.data.correlationid);
      if (known) {
        // The same event published twice may be work done twice; the broker delivering one publication again is none.
        if (!redelivered) known.events++;
        return;
      }
      const { image, digest } = event.data.data ?? {};
      processed.set(event.data.correlationid, {
        events: 1,
        firstWallMs: now,
        result,
        artifact: image && digest ? `${image}@${digest}` : undefined,
      });
    } catch (error) {
      garbled.push((error as Error).message);
    }
  };

  await connect();
  return {
    processed,
    garbled,
    listening: () => listening,
    async close() {
      closing = true;
      await model?.close().catch(() => {});
    },
  };
}
