/** The services and the whole platform, as the suites share them. */
import { rm } from 'node:fs/promises';
import type { Component } from '../config.ts';
import { type Listener, listenToEvents, type Process, startComponent } from './platform.ts';
import { freePort, temporary } from './ports.ts';
import { S3_KEYS, type Service, startRabbit, startRegistry, startS3 } from './services.ts';

type S3 = Awaited<ReturnType<typeof startS3>>;

export interface World {
  rabbit: Service;
  registry: Service;
  s3: S3;
  /** What the platform says on its events exchange. */
  heard: Listener;
  directory: string;
  /** Starts a component with the services of this world; `env` overrides. It is ended with the world. */
  start: (component: Component, env?: Record<string, string>) => Promise<Process>;
  /** Starts all four, ready. */
  platform: (env?: Record<string, string>) => Promise<Record<Component, Process>>;
  /** Messages that wait in a queue. */
  depth: (queue: string) => Promise<number>;
  purge: () => Promise<void>;
  /** Ends the components that are still there. */
  endComponents: () => Promise<void>;
  stop: () => Promise<void>;
}

const QUEUES = [
  'lambda-build-commands',
  'lambda-function-commands',
  'lambda-invocations',
  'lambda-dead-letters',
  'lambda-operator-events',
];

export async function createWorld(): Promise<World> {
  const [rabbit, registry, s3, directory] = await Promise.all([
    startRabbit(),
    startRegistry(),
    startS3(),
    temporary('world'),
  ]);
  const heard = await listenToEvents(rabbit.url);
  let running: Process[] = [];
  let runs = 0;
  const world: World = {
    rabbit,
    registry,
    s3,
    heard,
    directory,
    async start(component, env = {}) {
      const process = await startComponent(component, {
        AMQP_URL: rabbit.url,
        REGISTRY_URL: registry.url,
        OPERATOR_URL: 'http://127.0.0.1:9',
        WORK_DIR: `${directory}/work-${++runs}`,
        STATE_FILE: `${directory}/state-${runs}.json`,
        S3_ENDPOINT: s3.url,
        S3_ACCESS_KEY: S3_KEYS.access,
        S3_SECRET_KEY: S3_KEYS.secret,
        BACKOFF_BASE_MS: '100',
        BACKOFF_MAX_MS: '500',
        IDLE_MS: '900',
        SCALE_INTERVAL_MS: '50',
        ...env,
      });
      running.push(process);
      return process;
    },
    async platform(env = {}) {
      const ports = { gateway: String(await freePort()), operator: String(await freePort()) };
      const operatorUrl = `http://127.0.0.1:${ports.operator}`;
      const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
      const [receiver, builder, gateway, operator] = await Promise.all([
        world.start('receiver', env),
        world.start('builder', env),
        world.start('gateway', { ...env, PORT: ports.gateway, OPERATOR_URL: operatorUrl }),
        world.start('operator', { ...env, PORT: ports.operator, GATEWAY_URL: gatewayUrl }),
      ]);
      await Promise.all([receiver, builder, gateway, operator].map((each) => each.ready(30_000)));
      return { receiver, builder, gateway, operator };
    },
    async depth(queue) {
      return (await world.heard.channel.checkQueue(queue)).messageCount;
    },
    async purge() {
      for (const queue of QUEUES) await world.heard.channel.purgeQueue(queue);
    },
    async endComponents() {
      await Promise.all(running.map((process) => process.kill()));
      running = [];
    },
    async stop() {
      await world.endComponents();
      await world.heard.close().catch(() => {});
      await Promise.all([rabbit.stop(), registry.stop(), s3.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
}

export const HELLO = `export async function handler(event) {
  const asked = event.data ?? {};
  if (asked.crash) process.exit(3);
  if (asked.spin) for (;;);
  if (asked.fail) throw new Error('asked to fail');
  if (asked.ms) await new Promise((done) => setTimeout(done, asked.ms));
  return { hello: asked.who ?? 'nobody', pid: process.pid, secret: process.env.AMQP_URL ?? null, greeting: process.env.GREETING };
}
`;

export const inline = (code = HELLO) => ({ type: 'inline', code });
