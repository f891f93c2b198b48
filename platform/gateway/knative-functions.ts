/**
 * Functions on a cluster: each a Knative Service, which is called by its name in the cluster. Knative starts, scales and ends
 * them; how long that took is read from their pods, and whether a request waited for a start from the instance's age, which
 * the instance tells (runtime/host.ts): two clocks need not agree for it.
 */
import { Agent, request } from 'node:http';
import type { Logger } from '../common/log.ts';
import type { Config } from '../config.ts';
import { Cluster, condition, type KubeObject } from '../kubernetes/cluster.ts';
import type { FunctionSpec } from './catalog.ts';
import type { Functions, Runner } from './functions.ts';
import { type Answer, type Call, CallError } from './instance.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Lease } from './pool.ts';

const REQUEST_TIMEOUT_MS = 300_000;
const INSTANCE = 'x-lambda-instance';
const AGE = 'x-lambda-instance-age-ms';
const FUNCTION_LABEL = 'lambda.knative.io/name';

export function knativeFunctions(config: Config<'gateway'>, log: Logger, metrics: GatewayMetrics): Functions {
  const agent = new Agent({ keepAlive: true });
  const runners = new Map<string, KnativeFunction>();
  const pods = new Cluster(config.NAMESPACE).watch(
    { apiVersion: 'v1', kind: 'Pod', plural: 'pods', labels: 'serving.knative.dev/service' },
    (pod) => {
      const name = pod.metadata.labels?.[FUNCTION_LABEL] ?? '';
      runners.get(name)?.podsChanged(podsOf(name));
    },
  );
  const podsOf = (name: string) =>
    [...pods.objects.values()].filter((pod) => pod.metadata.labels?.[FUNCTION_LABEL] === name && lives(pod));

  return {
    of(spec) {
      let runner = runners.get(spec.name);
      if (!runner) {
        runner = new KnativeFunction(
          spec,
          `${spec.name}.${config.NAMESPACE}.svc.cluster.local`,
          agent,
          log,
          metrics,
        );
        runners.set(spec.name, runner);
        runner.podsChanged(podsOf(spec.name));
      }
      runner.spec = spec;
      return runner;
    },
    async remove(name) {
      runners.delete(name);
    },
    states: () => [...runners.values()].map((runner) => runner.state),
    async stop() {
      await pods.stop();
      agent.destroy();
    },
  };
}

/** A pod on its way out serves what it has, and gets nothing new. */
function lives(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(pod.status?.phase);
}

class KnativeFunction implements Runner {
  spec: FunctionSpec;
  readonly #host: string;
  readonly #agent: Agent;
  readonly #log: Logger;
  readonly #metrics: GatewayMetrics;
  #inflight = 0;
  #pods = 0;
  #ready = 0;
  /** When the first request came that no instance was ready for, monotonic ms. */
  #wantedSince: number | undefined;
  #lastEnd = performance.now();
  /** Instances whose start a request has waited for, so that one start counts once. */
  readonly #seen = new Set<string>();

  constructor(spec: FunctionSpec, host: string, agent: Agent, log: Logger, metrics: GatewayMetrics) {
    this.spec = spec;
    this.#host = host;
    this.#agent = agent;
    this.#log = log;
    this.#metrics = metrics;
    metrics.know(spec.name);
  }

  get state() {
    const { name, digest } = this.spec;
    return { name, digest, instances: this.#pods, ready: this.#ready, inflight: this.#inflight, waiting: 0 };
  }

  /** Knative's autoscaler looks by itself. */
  tick(): void {}

  podsChanged(pods: KubeObject[]): void {
    const ready = pods.filter((pod) => condition(pod, 'Ready').status === 'True').length;
    const now = performance.now();
    if (this.#ready === 0 && ready > 0 && this.#wantedSince !== undefined) {
      this.#metrics.scaledUp(this.spec.name, (now - this.#wantedSince) / 1000);
      this.#wantedSince = undefined;
    }
    if (this.#pods > 0 && pods.length === 0) {
      this.#metrics.scaledToZero(this.spec.name, (now - this.#lastEnd) / 1000);
      this.#log.info('function scaled to zero', { function: this.spec.name });
    }
    this.#pods = pods.length;
    this.#ready = ready;
  }

  async lease(): Promise<Lease> {
    this.#inflight++;
    const begun = performance.now();
    const noneReady = this.#ready === 0;
    if (noneReady) this.#wantedSince ??= begun;
    let held = true;
    const lease: Lease = {
      cold: false,
      instance: {
        call: async (call: Call) => {
          const answer = await this.#send(call);
          const seconds = (performance.now() - begun) / 1000;
          const age = Number(answer.headers[AGE]) / 1000;
          lease.cold = age < seconds;
          if (lease.cold && noneReady) this.#coldStarted(String(answer.headers[INSTANCE]), seconds);
          return answer;
        },
      },
      release: () => {
        if (!held) return;
        held = false;
        this.#inflight--;
        this.#lastEnd = performance.now();
      },
    };
    return lease;
  }

  #coldStarted(instance: string, seconds: number): void {
    if (this.#seen.has(instance)) return;
    this.#seen.add(instance);
    this.#metrics.coldStarted(this.spec.name, seconds);
  }

  #send(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const lost = (message: string, unsent = false) => reject(new CallError('crash', message, unsent));
      const req = request(
        {
          host: this.#host,
          agent: this.#agent,
          method: call.method,
          path: call.path,
          headers: { ...call.headers, host: this.#host, 'content-length': call.body.length },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('end', () => {
            const answer = {
              status: res.statusCode ?? 502,
              headers: { ...res.headers },
              body: Buffer.concat(chunks),
            };
            // What does not name its instance is not the function's answer, but somebody's on the way to it.
            if (answer.headers[INSTANCE] !== undefined) resolve(answer);
            else reject(onTheWay(answer));
          });
          res.on('close', () => {
            if (!res.complete) lost('the function ended while it answered');
          });
        },
      );
      req.setTimeout(REQUEST_TIMEOUT_MS, () =>
        req.destroy(new CallError('timeout', 'the function did not answer')),
      );
      req.on('error', (error: NodeJS.ErrnoException) => {
        if (error instanceof CallError) reject(error);
        else lost(error.message, error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND');
      });
      req.end(call.body);
    });
  }
}

/** Activator or ingress gave up: 504 after its own limit, 502 and 503 when an instance broke or none could be had. */
function onTheWay({ status, body }: Answer): CallError {
  const text = `no instance answered: ${status} ${body.toString('utf8').trim().slice(0, 200)}`;
  return new CallError(status === 504 ? 'timeout' : 'crash', text);
}
