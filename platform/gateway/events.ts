/** Invocations that come as events from the queue; each ends in one response event. */

import { type Delivery, deadLetter, untilConfirmed } from '../amqp/deliver.ts';
import type { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import { fullJitter } from '../common/backoff.ts';
import type { Logger } from '../common/log.ts';
import { Recent } from '../common/recent.ts';
import { continueTrace } from '../common/trace.ts';
import { EVENT, type Event, eventFromMessage, platformEvent } from '../events/cloudevent.ts';
import { failureOf, type Invocation, type Invoker } from './invoke.ts';
import type { GatewayMetrics } from './metrics.ts';

const ATTEMPTS = 5;
const BACKOFF_BASE_MS = 1000;
const BACKOFF_MAX_MS = 30_000;
const REMEMBERED = 10_000;

export class EventInvocations {
  readonly #namespace: string;
  readonly #link: BrokerLink;
  readonly #invoker: Invoker;
  readonly #log: Logger;
  readonly #metrics: GatewayMetrics;
  readonly #active = new Map<string, Delivery[]>();
  readonly #done = new Recent<true>(REMEMBERED);
  readonly #stop = new AbortController();

  constructor(namespace: string, link: BrokerLink, invoker: Invoker, log: Logger, metrics: GatewayMetrics) {
    this.#namespace = namespace;
    this.#link = link;
    this.#invoker = invoker;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Takes one delivery of an invocation; a redelivered one is not invoked twice while this process remembers it. */
  take(delivery: Delivery): void {
    let event: Event;
    try {
      event = eventFromMessage(delivery.message.content);
    } catch (error) {
      this.#metrics.error('malformed');
      const dead = () =>
        deadLetter(this.#link, delivery.message, QUEUE.invocations, `malformed: ${(error as Error).message}`);
      untilConfirmed(dead, this.#stop.signal).then((told) => told && delivery.ack());
      return;
    }
    const key = `${event.source} ${event.id}`;
    if (this.#done.get(key)) {
      delivery.ack();
      return;
    }
    const active = this.#active.get(key);
    if (active) {
      active.push(delivery);
      return;
    }
    const deliveries = [delivery];
    this.#active.set(key, deliveries);
    this.#run(event, delivery)
      .then((told) => {
        if (!told) return;
        this.#done.set(key, true);
        for (const each of deliveries) each.ack();
      })
      .finally(() => this.#active.delete(key));
  }

  async stop(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    while (this.#active.size > 0 && performance.now() < until)
      await new Promise((done) => setTimeout(done, 20));
    this.#stop.abort();
  }

  async #run(event: Event, delivery: Delivery): Promise<boolean> {
    const name = event.subject ?? '';
    const trace = continueTrace(delivery.message.properties.headers?.traceparent, 'invoke');
    const call = {
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'application/cloudevents+json', traceparent: trace.traceparent },
    };
    let invocation: Invocation;
    for (let attempt = 1; ; attempt++) {
      invocation = await this.#invoker.invoke(name, call, async () => delivery.message.content);
      // Only what did not run is tried again: a function that ran may have had its effect.
      if (invocation.kind !== 'failed' || invocation.ran || attempt >= ATTEMPTS) break;
      const delay = fullJitter(attempt - 1, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
      await new Promise((done) => setTimeout(done, delay));
      if (this.#stop.signal.aborted) return false;
    }
    const { failed, data } = outcomeOf(invocation);
    trace.end(failureOf(invocation));
    if (invocation.kind !== 'answered') {
      const dead = () => deadLetter(this.#link, delivery.message, QUEUE.invocations, String(data.message));
      if (!(await untilConfirmed(dead, this.#stop.signal))) return false;
    }
    const type = failed ? EVENT.responseError : EVENT.responseSuccess;
    const response = platformEvent({
      type,
      namespace: this.#namespace,
      name,
      cause: event.id,
      traceparent: trace.traceparent,
      id: `${event.id}.${failed ? 'error' : 'success'}`,
      data: { name, ...data },
    });
    this.#log.debug('event invoked', { trace_id: trace.traceId, event_id: event.id, function: name, failed });
    const publish = () =>
      this.#link.publishEvent(EXCHANGE.events, type, response, {
        messageId: response.id,
        type,
        headers: { traceparent: trace.traceparent },
      });
    return untilConfirmed(publish, this.#stop.signal);
  }
}

function outcomeOf(invocation: Invocation): { failed: boolean; data: Record<string, unknown> } {
  if (invocation.kind === 'absent') return { failed: true, data: { message: 'no such function' } };
  if (invocation.kind === 'failed')
    return { failed: true, data: { status: invocation.status, message: invocation.reason } };
  const { status, headers, body } = invocation.answer;
  const text = body.toString('utf8');
  let result: unknown = text;
  if (/[/+]json\b/i.test(headers['content-type'] ?? ''))
    try {
      result = JSON.parse(text);
    } catch {}
  return { failed: status >= 400, data: { status, result, coldStart: invocation.cold } };
}
