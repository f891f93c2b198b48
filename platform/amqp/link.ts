/**
 * One connection to the broker that comes back by itself. It notices a broker that is a black hole (packets vanish,
 * nothing is refused) by heartbeats, by a confirm that does not come, and by a limit on the whole connect handshake;
 * then it drops the socket without asking the other side, and tries again with capped backoff and jitter.
 */
import { type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib';
import { fullJitter } from '../common/backoff.ts';
import { type Logger, messageOf } from '../common/log.ts';
import { assertTopology } from './topology.ts';

const RECONNECT_BASE_MS = 100;
const RECONNECT_MAX_MS = 1000;

export class BrokerUnavailable extends Error {}

export interface LinkConfig {
  AMQP_URL: string;
  AMQP_HEARTBEAT_S: number;
  AMQP_CONNECT_TIMEOUT_MS: number;
  CONFIRM_TIMEOUT_MS: number;
  QUEUE_TYPE: 'classic' | 'quorum';
}

/** Called on each new connection with its channel; `signal` is aborted when that connection is gone. */
export type Setup = (channel: ConfirmChannel, signal: AbortSignal) => Promise<void>;

/** amqplib hands these to net.connect; its types do not know `signal`, which destroys the socket when aborted. */
function socketOptions(name: string, signal: AbortSignal): Options.Connect {
  const options = { noDelay: true, signal, clientProperties: { connection_name: name } };
  return options as Options.Connect;
}

export class BrokerLink {
  readonly #config: LinkConfig;
  readonly #log: Logger;
  readonly #name: string;
  readonly #setup: Setup;
  #channel: ConfirmChannel | undefined;
  #model: ChannelModel | undefined;
  /** Aborting it destroys the socket of the current connection, or of the attempt to make one. */
  #socket = new AbortController();
  #blocked = false;
  #stopped = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  #publishes = 0;
  readonly #returned = new Map<string, () => void>();

  constructor(name: string, config: LinkConfig, log: Logger, setup: Setup = async () => {}) {
    this.#name = name;
    this.#config = config;
    this.#log = log;
    this.#setup = setup;
  }

  /** Begins to connect, in the background, for ever. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** The connection is open, topology and setup are done, and the broker takes publishes. */
  get open(): boolean {
    return this.#channel !== undefined && !this.#blocked;
  }

  get channel(): ConfirmChannel | undefined {
    return this.#channel;
  }

  /** Publishes persistent and mandatory; resolves when the broker confirmed, rejects with BrokerUnavailable otherwise. */
  publish(exchange: string, key: string, body: unknown, options: Options.Publish = {}): Promise<void> {
    return this.#publish(exchange, key, body, options, true);
  }

  /** For events that nobody may be bound to: persistent and confirmed, but not mandatory. */
  publishEvent(exchange: string, key: string, body: unknown, options: Options.Publish = {}): Promise<void> {
    return this.#publish(exchange, key, body, options, false);
  }

  async #publish(
    exchange: string,
    key: string,
    body: unknown,
    options: Options.Publish,
    mandatory: boolean,
  ): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) throw new BrokerUnavailable('no connection to the broker');
    if (this.#blocked) throw new BrokerUnavailable('the broker blocks publishers');
    const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const publishId = String(++this.#publishes);
    const socket = this.#socket;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: BrokerUnavailable) => {
        clearTimeout(timer);
        this.#returned.delete(publishId);
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(() => {
        settle(new BrokerUnavailable(`no confirm within ${this.#config.CONFIRM_TIMEOUT_MS} ms`));
        this.#drop(socket, 'confirm timeout');
      }, this.#config.CONFIRM_TIMEOUT_MS);
      if (mandatory)
        this.#returned.set(publishId, () => settle(new BrokerUnavailable(`no queue takes ${key}`)));
      try {
        channel.publish(
          exchange,
          key,
          content,
          {
            contentType: 'application/cloudevents+json',
            ...options,
            persistent: true,
            mandatory,
            headers: { ...options.headers, 'x-publish-id': publishId, 'x-published-ms': Date.now() },
          },
          (error: unknown) =>
            settle(error ? new BrokerUnavailable(`not confirmed: ${messageOf(error)}`) : undefined),
        );
      } catch (error) {
        settle(new BrokerUnavailable(messageOf(error)));
      }
    });
  }

  /** Drops the connection that `socket` stands for, if it is still the current one. */
  #drop(socket: AbortController, why: string): void {
    if (this.#stopped || socket !== this.#socket || socket.signal.aborted) return;
    this.#log.warn('broker connection dropped', { reason: why });
    socket.abort(new Error(why));
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopped) {
      try {
        const { gone } = await this.#connectOnce();
        failures = 0;
        this.#log.info('broker connected');
        const reason = await gone;
        if (!this.#stopped) this.#log.warn('broker connection lost', { reason });
      } catch (error) {
        if (failures === 0) this.#log.warn('broker unreachable', { reason: messageOf(error) });
      }
      this.#channel = undefined;
      this.#model = undefined;
      this.#blocked = false;
      if (this.#stopped) return;
      const delay = fullJitter(failures++, RECONNECT_BASE_MS, RECONNECT_MAX_MS);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delay);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Resolves when all is set up, with a promise of the reason for which the connection ended. */
  async #connectOnce(): Promise<{ gone: Promise<string> }> {
    const socket = new AbortController();
    this.#socket = socket;
    const timeout = this.#config.AMQP_CONNECT_TIMEOUT_MS;
    const timer = setTimeout(() => socket.abort(new Error(`no handshake within ${timeout} ms`)), timeout);
    const aborted = new Promise<never>((_, reject) => {
      socket.signal.addEventListener('abort', () => reject(socket.signal.reason as Error), { once: true });
    });
    aborted.catch(() => {});
    try {
      const url = new URL(this.#config.AMQP_URL);
      url.searchParams.set('heartbeat', String(this.#config.AMQP_HEARTBEAT_S));
      const model = await Promise.race([
        connect(url.href, socketOptions(this.#name, socket.signal)),
        aborted,
      ]);
      const gone = new Promise<string>((resolve) => {
        let reason = 'closed';
        model.on('error', (error: Error) => {
          reason = messageOf(error);
        });
        model.on('close', () => resolve(reason));
        aborted.catch((error: unknown) => resolve(messageOf(error)));
      });
      // A heartbeat timeout leaves the socket open on our side: end it, whatever the other side does.
      gone.then((reason) => socket.abort(new Error(reason)));
      model.on('blocked', (reason: string) => {
        this.#blocked = true;
        this.#log.warn('broker blocks publishers', { reason });
      });
      model.on('unblocked', () => {
        this.#blocked = false;
      });
      const channel = await Promise.race([model.createConfirmChannel(), aborted]);
      channel.on('error', (error: Error) => this.#drop(socket, `channel: ${messageOf(error)}`));
      channel.on('close', () => this.#drop(socket, 'channel closed'));
      channel.on('return', (message: { properties: { headers?: Record<string, unknown> } }) => {
        this.#returned.get(String(message.properties.headers?.['x-publish-id']))?.();
      });
      await Promise.race([assertTopology(channel, this.#config.QUEUE_TYPE), aborted]);
      clearTimeout(timer);
      this.#model = model;
      this.#channel = channel;
      await Promise.race([this.#setup(channel, socket.signal), aborted]);
      return { gone };
    } catch (error) {
      socket.abort(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the connection; within `graceMs` politely, then without asking. */
  async stop(graceMs = 500): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    const model = this.#model;
    if (model) {
      const limit = new Promise<void>((resolve) => setTimeout(resolve, graceMs));
      await Promise.race([model.close().catch(() => {}), limit]);
    }
    this.#socket.abort(new Error('stopped'));
    await this.#loop;
  }
}
