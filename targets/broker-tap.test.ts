import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp, { type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePorts } from '../base/ports.ts';
import { killMarked } from '../chaos/undo/marked.ts';
import { resolveTool } from '../tools/resolve.ts';
import { openBrokerTap } from './broker-tap.ts';
import { brokerUrl, rabbitmq } from './local/services.ts';
import { Supervisor } from './supervisor.ts';

const QUEUE = 'faultline-tap';
const runId = `test-tap-${process.pid}`;
const directory = mkdtempSync(join(tmpdir(), 'faultline-tap-'));
let supervisor: Supervisor;
let own: ChannelModel;
let url: string;
let metrics: string;

/** Connections that the broker has, ours for the test included. */
async function connections(): Promise<number> {
  const text = await (await fetch(metrics)).text();
  return Number(/^rabbitmq_connections (\d+)/m.exec(text)?.[1]);
}

beforeAll(async () => {
  const [amqpPort, harness, metricsPort, management, epmd, distribution] = await freePorts(6);
  url = brokerUrl(harness);
  metrics = `http://127.0.0.1:${metricsPort}/metrics`;
  supervisor = new Supervisor({ runId, logDirectory: directory, onEvent: () => {} });
  const ports = { amqp: amqpPort, harness, metrics: metricsPort, management, epmd, distribution };
  const { path } = await resolveTool('rabbitmq-server');
  supervisor.start(rabbitmq(path, join(directory, 'rabbitmq'), ports, 200));
  await supervisor.ready(60_000);
  own = await amqp.connect(url);
}, 90_000);

afterAll(async () => {
  await own?.close().catch(() => {});
  await supervisor.stopAll(500);
  await killMarked(runId);
  rmSync(directory, { recursive: true, force: true });
});

it('comes back after its queue was lost and could not be had for a while, and leaves no connection behind', async () => {
  const tap = await openBrokerTap(url, 'classic');
  const channel = await own.createChannel();
  const say = (id: string) =>
    channel.publish(
      'knative-lambda.events',
      'x',
      Buffer.from(
        JSON.stringify({
          id: `${id}.success`,
          type: 'io.knative.lambda.response.success',
          correlationid: id,
        }),
      ),
    );
  try {
    say('before');
    await expect.poll(() => tap.processed.has('before'), { timeout: 5000 }).toBe(true);
    // One that the tap can not use stands where its own was: as when the only node that has it is away.
    await channel.deleteQueue(QUEUE);
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-max-length': 1 } });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await connections()).toBeLessThanOrEqual(2);
    expect(tap.listening()).toBe(false);
    await channel.deleteQueue(QUEUE);
    await expect
      .poll(
        () => {
          say('after');
          return tap.processed.has('after');
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBe(true);
    expect(await connections()).toBe(2);
    expect(tap.listening()).toBe(true);
  } finally {
    await tap.close();
  }
  await expect.poll(connections, { timeout: 5000 }).toBe(1);
}, 60_000);
