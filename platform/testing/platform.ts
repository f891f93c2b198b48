/** Starts components of the platform as processes, and speaks to them as a client does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { assertTopology, EXCHANGE } from '../amqp/topology.ts';
import type { Component } from '../config.ts';
import type { Event } from '../events/cloudevent.ts';
import { freePort, until } from './ports.ts';

export interface LogLine {
  ts: string;
  level: string;
  component: string;
  msg: string;
  [field: string]: unknown;
}

export interface Process {
  component: Component;
  url: string;
  pid: number;
  env: Record<string, string>;
  child: ChildProcess;
  logs: LogLine[];
  ready: (timeoutMs?: number) => Promise<void>;
  metric: (series: string) => Promise<number>;
  /** Sends the signal and waits for the end. */
  kill: (signal?: NodeJS.Signals) => Promise<void>;
}

/** Starts `node platform/<component>/main.ts`; resolves at once, use `ready`. */
export async function startComponent(component: Component, env: Record<string, string>): Promise<Process> {
  const port = Number(env.PORT ?? (await freePort()));
  const url = `http://127.0.0.1:${port}`;
  const main = new URL(`../${component}/main.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH ?? '', ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const logs: LogLine[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    logs.push(JSON.parse(line) as LogLine);
    if (process.env.SHOW_LOGS) console.log(line);
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  return {
    component,
    url,
    pid: child.pid as number,
    env: { ...env, PORT: String(port) },
    child,
    logs,
    ready: (timeoutMs = 15_000) =>
      until(
        `${component} is ready`,
        async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200,
        timeoutMs,
      ).then(() => {}),
    async metric(series) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text.split('\n').find((each) => each.startsWith(`${series} `));
      if (line === undefined) throw new Error(`no series ${series}`);
      return Number(line.slice(series.length + 1));
    },
    async kill(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await ended;
    },
  };
}

/** Everything that the platform publishes on its events exchange. */
export interface Listener {
  events: Event[];
  /** Waits for `count` events that answer the command or event `id` and are no build.started. */
  terminal: (id: string, timeoutMs?: number) => Promise<Event>;
  terminals: (id: string) => Event[];
  channel: Channel;
  close: () => Promise<void>;
}

export async function listenToEvents(amqpUrl: string): Promise<Listener> {
  const model: ChannelModel = await connect(amqpUrl);
  model.on('error', () => {});
  const channel = await model.createChannel();
  await assertTopology(channel, 'classic');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, EXCHANGE.events, '#');
  const events: Event[] = [];
  await channel.consume(queue, (message) => message && events.push(JSON.parse(message.content.toString())), {
    noAck: true,
  });
  const terminals = (id: string) =>
    events.filter((event) => event.correlationid === id && !event.type.endsWith('build.started'));
  return {
    events,
    channel,
    terminals,
    terminal: (id, timeoutMs = 15_000) =>
      until(`a terminal event for ${id}`, () => terminals(id)[0], timeoutMs),
    close: () => model.close(),
  };
}

/** Sends a CloudEvent in binary mode; gives the answer's status, body and the event's id. */
export async function sendEvent(
  receiver: string,
  event: { type: string; data?: unknown; subject?: string; id?: string },
  headers: Record<string, string> = {},
): Promise<{ status: number; id: string; body: Record<string, unknown>; headers: Headers }> {
  const id = event.id ?? randomUUID();
  const answer = await fetch(`${receiver}/events`, {
    method: 'POST',
    headers: {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': '/platform/tests',
      'ce-type': event.type,
      ...(event.subject ? { 'ce-subject': event.subject } : {}),
      'content-type': 'application/json',
      ...headers,
    },
    body: event.data === undefined ? null : JSON.stringify(event.data),
  });
  return {
    status: answer.status,
    id,
    body: (await answer.json()) as Record<string, unknown>,
    headers: answer.headers,
  };
}

/** A JSON answer whose fields the caller knows. */
export async function getJson<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}
