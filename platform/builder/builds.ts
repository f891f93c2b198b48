/**
 * The builds under way. One command is one build, however often the broker delivers it: a redelivered command joins the
 * running build, or is answered from memory when it was finished recently. A command is acknowledged only after its
 * terminal event is confirmed.
 */
import type { ConsumeMessage } from 'amqplib';
import { type Delivery, deadLetter, publishedMs, untilConfirmed } from '../amqp/deliver.ts';
import type { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE, QUEUE } from '../amqp/topology.ts';
import { fullJitter } from '../common/backoff.ts';
import { type Logger, messageOf } from '../common/log.ts';
import { Recent } from '../common/recent.ts';
import { Slots } from '../common/slots.ts';
import { continueTrace, type Trace } from '../common/trace.ts';
import type { Config } from '../config.ts';
import { EVENT, type Event, platformEvent } from '../events/cloudevent.ts';
import type { BuildData } from '../events/commands.ts';
import type { BuilderMetrics } from './metrics.ts';
import { CANCELLED, type JobEnd, type Jobs } from './run-job.ts';

const REMEMBERED = 10_000;

interface Build {
  event: Event;
  data: BuildData;
  trace: Trace;
  message: ConsumeMessage;
  deliveries: Delivery[];
  cancel: AbortController;
  /** Monotonic milliseconds. */
  begun: number;
}

export interface Outcome {
  failed: boolean;
  /** `source`, `registry`, `internal`, `deadline`, `crashed`, `cancelled`; none when built. */
  reason?: string;
  data: Record<string, unknown>;
  deadLetter: boolean;
}

export class Builds {
  readonly #config: Config<'builder'>;
  readonly #link: BrokerLink;
  readonly #log: Logger;
  readonly #metrics: BuilderMetrics;
  readonly #jobs: Jobs;
  readonly #slots: Slots;
  readonly #builds = new Map<string, Build>();
  readonly #done = new Recent<true>(REMEMBERED);
  readonly #stop = new AbortController();
  #running = 0;

  constructor(config: Config<'builder'>, link: BrokerLink, jobs: Jobs, log: Logger, metrics: BuilderMetrics) {
    this.#config = config;
    this.#link = link;
    this.#jobs = jobs;
    this.#log = log;
    this.#metrics = metrics;
    this.#slots = new Slots(config.JOB_LIMIT);
  }

  get size(): number {
    return this.#builds.size;
  }

  /** Takes one delivery of a valid build command. */
  take(event: Event, data: BuildData, delivery: Delivery): void {
    const key = `${event.source} ${event.id}`;
    const trace = continueTrace(delivery.message.properties.headers?.traceparent, 'build');
    const known = { trace_id: trace.traceId, event_id: event.id, function: data.name };
    if (this.#config.DEFECTS.has('ack-before-build')) delivery.ack();
    if (this.#done.get(key)) {
      this.#log.info('build already done', known);
      delivery.ack();
      return;
    }
    const running = this.#builds.get(key);
    if (running) {
      this.#log.info('build already under way', known);
      running.deliveries.push(delivery);
      return;
    }
    const build: Build = {
      event,
      data,
      trace,
      message: delivery.message,
      deliveries: [delivery],
      cancel: new AbortController(),
      begun: performance.now(),
    };
    this.#builds.set(key, build);
    this.#run(build)
      .then((told) => {
        if (!told) return;
        this.#done.set(key, true);
        for (const each of build.deliveries) each.ack();
      })
      .catch((error: unknown) => this.#log.error('build lost its way', { ...known, error: messageOf(error) }))
      .finally(() => this.#builds.delete(key));
  }

  /** Cancels the builds of a function, or one of them; how many there were. */
  cancel(name: string, buildId: string | undefined): number {
    let count = 0;
    for (const build of this.#builds.values())
      if (build.data.name === name && (buildId === undefined || build.event.id === buildId)) {
        build.cancel.abort(CANCELLED);
        count++;
      }
    return count;
  }

  /** Lets the running builds end within `graceMs`, then kills their jobs; what is unacknowledged stays with the broker. */
  async stop(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    while (this.#builds.size > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    this.#stop.abort();
  }

  /** True when the outcome was told to the world; false when the builder stops before. */
  async #run(build: Build): Promise<boolean> {
    await this.#slots.acquire();
    let outcome: Outcome | undefined;
    try {
      outcome = await this.#build(build);
    } finally {
      this.#slots.release();
    }
    if (outcome === undefined) return false;
    const { event, trace, data } = build;
    const durationMs = Math.round(performance.now() - build.begun);
    trace.end(outcome.failed ? String(outcome.data.message) : undefined);
    this.#metrics.finished({
      runtime: data.runtime.language,
      failed: outcome.failed,
      seconds: durationMs / 1000,
    });
    const known = {
      trace_id: trace.traceId,
      event_id: event.id,
      function: data.name,
      duration_ms: durationMs,
    };
    if (outcome.failed) this.#log.warn('build failed', { ...known, ...outcome.data });
    else this.#log.info('build completed', { ...known, ...outcome.data });
    const type = outcome.failed ? EVENT.buildFailed : EVENT.buildCompleted;
    if (outcome.deadLetter) {
      const reason = `${outcome.reason}: ${String(outcome.data.message)}`;
      const dead = () => deadLetter(this.#link, build.message, QUEUE.build, reason);
      if (!(await untilConfirmed(dead, this.#stop.signal))) return false;
    }
    const terminal = this.#event(build, type, { ...outcome.data, durationMs });
    return untilConfirmed(() => this.#publish(terminal, trace), this.#stop.signal);
  }

  #event(build: Build, type: string, data: Record<string, unknown>): Event {
    const { event, data: command, trace } = build;
    return platformEvent({
      type,
      namespace: this.#config.NAMESPACE,
      name: command.name,
      cause: event.id,
      traceparent: trace.traceparent,
      // The same command has the same event ids, even when a builder that died had told them already.
      id: `${event.id}.${type.slice(type.lastIndexOf('.') + 1)}`,
      data: { name: command.name, ...data },
    });
  }

  #publish(event: Event, trace: Trace): Promise<void> {
    return this.#link.publishEvent(EXCHANGE.events, event.type, event, {
      messageId: event.id,
      type: event.type,
      headers: { traceparent: trace.traceparent },
    });
  }

  /** Runs jobs until there is an outcome; undefined when the builder stops. */
  async #build(build: Build): Promise<Outcome | undefined> {
    const { event, trace, data } = build;
    const known = { trace_id: trace.traceId, event_id: event.id, function: data.name };
    const published = publishedMs(build.message);
    if (published !== undefined) this.#metrics.queueWaited((Date.now() - published) / 1000);
    this.#metrics.started();
    this.#log.info('build started', known);
    this.#publish(this.#event(build, EVENT.buildStarted, {}), trace).catch(() =>
      this.#metrics.error('publish'),
    );
    const deadline = build.begun + this.#config.BUILD_DEADLINE_MS;
    const signal = AbortSignal.any([build.cancel.signal, this.#stop.signal]);
    for (let attempt = 1; ; attempt++) {
      this.#metrics.jobs(++this.#running);
      const begun = performance.now();
      const left = Math.max(1, deadline - begun);
      const end = await this.#jobs.run(this.#spec(build), left, signal, (retry) => {
        this.#metrics.error('registry_retry');
        this.#log.warn('registry retry', { ...known, ...retry, type: undefined });
      });
      this.#metrics.jobs(--this.#running);
      this.#metrics.jobEnded((performance.now() - begun) / 1000);
      if (this.#stop.signal.aborted) return undefined;
      if (end.type !== 'crashed' || attempt >= this.#config.BUILD_MAX_ATTEMPTS)
        return this.#outcome(end, data, attempt);
      this.#log.warn('build job crashed', { ...known, attempt, reason: end.message });
      const { BACKOFF_BASE_MS, BACKOFF_MAX_MS } = this.#config;
      await new Promise((resolve) =>
        setTimeout(resolve, fullJitter(attempt - 1, BACKOFF_BASE_MS, BACKOFF_MAX_MS)),
      );
    }
  }

  #repository(name: string): string {
    return `lambda/${this.#config.NAMESPACE}/${name}`;
  }

  #spec({ event, data }: Build) {
    const config = this.#config;
    return {
      id: `${event.source} ${event.id}`,
      name: data.name,
      repository: this.#repository(data.name),
      registry: config.REGISTRY_URL,
      source: data.source,
      handler: data.runtime.handler,
      version: data.runtime.version,
      store: {
        endpoint: config.S3_ENDPOINT,
        accessKey: config.S3_ACCESS_KEY,
        secretKey: config.S3_SECRET_KEY,
        bucket: config.S3_BUCKET,
      },
      maxAttempts: config.BUILD_MAX_ATTEMPTS,
      baseMs: config.BACKOFF_BASE_MS,
      maxMs: config.BACKOFF_MAX_MS,
      giveUpOn429: config.DEFECTS.has('no-registry-retry'),
    };
  }

  #outcome(end: JobEnd, data: BuildData, jobs: number): Outcome {
    const failed = (reason: string, message: string, attempts: number): Outcome => ({
      failed: true,
      reason,
      data: { reason, message, attempts },
      deadLetter: reason !== 'cancelled',
    });
    switch (end.type) {
      case 'built':
        return {
          failed: false,
          data: {
            image: this.#repository(data.name),
            tag: end.tag,
            digest: end.digest,
            sizeBytes: end.sizeBytes,
            registry: this.#config.REGISTRY_URL,
            handler: data.runtime.handler,
            jobCpuMs: end.cpuMs,
          },
          deadLetter: false,
        };
      case 'failed':
        return failed(end.reason, end.message, end.attempts);
      case 'crashed':
        return failed('crashed', end.message, jobs);
      case 'deadline':
        return failed('deadline', `not done within ${this.#config.BUILD_DEADLINE_MS} ms`, jobs);
      case 'stopped':
        return failed('cancelled', 'cancelled by build.cancel', jobs);
    }
  }
}
