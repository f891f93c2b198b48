/** Brings one function a step closer to its spec; every step may be repeated after a crash. */
import type { BrokerLink } from '../amqp/link.ts';
import { EXCHANGE } from '../amqp/topology.ts';
import type { Logger } from '../common/log.ts';
import { continueTrace } from '../common/trace.ts';
import { EVENT, type Event, platformEvent, sourceOf } from '../events/cloudevent.ts';
import { COMMAND } from '../events/commands.ts';
import type { Deployer } from './deployer.ts';
import { type Cause, type LambdaFunction, setCondition } from './lambda-function.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { Store } from './store.ts';

const HISTORY = 10;

export class Reconciler {
  readonly #namespace: string;
  readonly #store: Store;
  readonly #link: BrokerLink;
  readonly #deployer: Deployer;
  readonly #log: Logger;
  readonly #metrics: OperatorMetrics;

  constructor(
    namespace: string,
    store: Store,
    link: BrokerLink,
    deployer: Deployer,
    log: Logger,
    metrics: OperatorMetrics,
  ) {
    this.#namespace = namespace;
    this.#store = store;
    this.#link = link;
    this.#deployer = deployer;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Rejects when the step failed and is to be tried again. */
  async reconcile(name: string): Promise<void> {
    const fn = this.#store.get(name);
    if (!fn) return;
    const { phase } = fn.status;
    const begun = performance.now();
    let ok = false;
    try {
      await this.#step(fn);
      ok = true;
    } catch (error) {
      this.#log.warn('reconcile failed', { function: name, phase, reason: (error as Error).message });
      throw error;
    } finally {
      this.#metrics.reconciled(phase, ok, (performance.now() - begun) / 1000);
    }
  }

  async #step(fn: LambdaFunction): Promise<void> {
    switch (fn.status.step) {
      case 'build-wanted':
        return this.#askForBuild(fn);
      case 'roll-out':
        return this.#rollOut(fn);
      case 'delete':
        return this.#delete(fn);
      case 'settled':
        // A command whose answer is not out yet: the build failed, or the operator ended just before.
        if (fn.status.causes.length > 0) await this.#tell(fn);
        return;
      case 'build-asked':
        return;
    }
  }

  async #askForBuild(fn: LambdaFunction): Promise<void> {
    const buildId = `${fn.uid}-build-${fn.generation}`;
    const { traceparent, end } = continueTrace(fn.status.causes.at(-1)?.traceparent, 'ask for build');
    const command: Event = {
      specversion: '1.0',
      id: buildId,
      source: sourceOf(this.#namespace, fn.name),
      type: COMMAND.buildStart,
      subject: fn.name,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      data: { name: fn.name, source: fn.spec.source, runtime: fn.spec.runtime },
    };
    await this.#link.publish(EXCHANGE.commands, COMMAND.buildStart, command, {
      messageId: buildId,
      type: command.type,
      headers: { traceparent },
    });
    end();
    await this.#change(fn, (fresh) => {
      fresh.status.phase = 'Building';
      fresh.status.step = 'build-asked';
      fresh.status.buildId = buildId;
      setCondition(fresh, 'SourceReady', 'Unknown', 'Fetching');
      setCondition(fresh, 'EventingReady', 'True', 'Connected');
      setCondition(fresh, 'BuildReady', 'False', 'Building');
    });
  }

  /** The builder said how a build ended. Returns whether the function changed. */
  async buildEnded(event: Event): Promise<boolean> {
    const fn = this.#store.get(event.subject ?? '');
    const build = String(event.correlationid);
    if (!fn || fn.status.step === 'delete') return false;
    const ours = fn.status.step === 'build-asked' && fn.status.buildId === build;
    // Somebody else's build of a function that rests is a new revision; an old build of our own is not.
    const adopted = fn.status.step === 'settled' && !build.startsWith(`${fn.uid}-build-`);
    if (!ours && !adopted) return false;
    const data = event.data as Record<string, unknown>;
    if (event.type === EVENT.buildCompleted) {
      fn.status.next = {
        image: String(data.image),
        digest: String(data.digest),
        handler: String(data.handler),
        registry: String(data.registry),
      };
      fn.status.step = 'roll-out';
      fn.status.phase = 'Deploying';
      setCondition(fn, 'SourceReady', 'True', 'Fetched');
      setCondition(fn, 'BuildReady', 'True', 'Built', String(data.digest));
    } else if (ours) {
      const message = String(data.message);
      fn.status.step = 'settled';
      fn.status.phase = 'Failed';
      fn.status.message = message;
      if (data.reason === 'source') setCondition(fn, 'SourceReady', 'False', 'NotUsable', message);
      setCondition(fn, 'BuildReady', 'False', 'BuildFailed', message);
      // What served before serves on.
      if (!fn.status.current) setCondition(fn, 'ServiceReady', 'False', 'BuildFailed', message);
    } else return false;
    await this.#store.put(fn);
    return true;
  }

  async #rollOut(fn: LambdaFunction): Promise<void> {
    const next = fn.status.next;
    if (!next) throw new Error('nothing to roll out');
    const rollout = await this.#deployer.rollOut(fn, next);
    if (rollout.state === 'starting') return;
    if (rollout.state === 'failed') return this.#rollOutFailed(fn, rollout.message);
    const settled = await this.#change(fn, (fresh) => {
      const { current, history } = fresh.status;
      if (current && current.digest !== next.digest)
        fresh.status.history = [current, ...history.filter((each) => each.digest !== next.digest)].slice(
          0,
          HISTORY,
        );
      fresh.status.current = next;
      delete fresh.status.next;
      fresh.status.step = 'settled';
      fresh.status.phase = 'Ready';
      fresh.status.message = '';
      setCondition(fresh, 'EventingReady', 'True', 'Connected');
      setCondition(fresh, 'DeployReady', 'True', 'ImageResolved', next.digest);
      setCondition(fresh, 'ServiceReady', 'True', 'Ready');
    });
    if (!settled) return;
    this.#log.info('function ready', {
      function: fn.name,
      digest: next.digest,
      event_id: settled.status.causes.at(-1)?.id,
    });
    this.#metrics.service('ready');
    await this.#tell(settled);
  }

  /** What served before serves on. */
  async #rollOutFailed(fn: LambdaFunction, message: string): Promise<void> {
    const settled = await this.#change(fn, (fresh) => {
      delete fresh.status.next;
      fresh.status.step = 'settled';
      fresh.status.phase = 'Failed';
      fresh.status.message = message;
      setCondition(fresh, 'DeployReady', 'False', 'RollOutFailed', message);
      if (!fresh.status.current) setCondition(fresh, 'ServiceReady', 'False', 'RollOutFailed', message);
    });
    if (settled) await this.#tell(settled);
  }

  async #delete(fn: LambdaFunction): Promise<void> {
    await this.#deployer.remove(fn.name);
    for (const cause of fn.status.causes)
      if (cause.type === COMMAND.delete) await this.#publish(fn, cause, EVENT.serviceDeleted, {});
      else await this.#publish(fn, cause, EVENT.responseError, { message: 'deleted before it was ready' });
    this.#metrics.service('deleted');
    await this.#store.remove(fn.name);
    this.#log.info('function deleted', { function: fn.name, event_id: fn.status.causes.at(-1)?.id });
  }

  /** Tells how the commands ended; then they are forgotten. A roll-out without one (an adopted build) is told too. */
  async #tell(fn: LambdaFunction): Promise<void> {
    const failed = fn.status.phase === 'Failed';
    if (failed) this.#metrics.service('failed');
    const { causes } = fn.status;
    const adopted: Cause = { id: fn.status.buildId ?? fn.uid, type: COMMAND.buildStart, traceparent: '' };
    for (const cause of causes.length > 0 ? causes : [adopted])
      if (failed) await this.#publish(fn, cause, EVENT.responseError, { message: fn.status.message });
      else
        await this.#publish(fn, cause, EVENT.serviceCreated, {
          ...fn.status.current,
          scaling: fn.spec.scaling,
        });
    await this.#change(fn, (fresh) => {
      fresh.status.causes = fresh.status.causes.filter((each) => !causes.some((told) => told.id === each.id));
    });
  }

  /** Changes the stored function, unless a newer command has come meanwhile: then that one's work goes on. */
  async #change(
    seen: LambdaFunction,
    change: (fresh: LambdaFunction) => void,
  ): Promise<LambdaFunction | undefined> {
    const fresh = this.#store.get(seen.name);
    if (!fresh || fresh.uid !== seen.uid || fresh.generation !== seen.generation) return undefined;
    if (fresh.status.step !== seen.status.step) return undefined;
    change(fresh);
    await this.#store.put(fresh);
    return fresh;
  }

  async #publish(
    fn: LambdaFunction,
    cause: Cause,
    type: string,
    data: Record<string, unknown>,
  ): Promise<void> {
    const { traceparent, end } = continueTrace(cause.traceparent, 'report');
    const event = platformEvent({
      type,
      namespace: this.#namespace,
      name: fn.name,
      cause: cause.id,
      traceparent,
      id: `${cause.id}.${type.slice(type.lastIndexOf('.') + 1)}`,
      data: { name: fn.name, generation: fn.generation, ...data },
    });
    await this.#link.publishEvent(EXCHANGE.events, type, event, {
      messageId: event.id,
      type,
      headers: { traceparent },
    });
    end();
  }
}
