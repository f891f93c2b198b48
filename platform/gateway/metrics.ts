/** The gateway's metrics: everything that is known about functions that run. */
import { Counter, Gauge, Histogram } from 'prom-client';
import { commonMetrics, FUNCTION_BUCKETS, WAIT_BUCKETS } from '../common/metrics.ts';

/** Why an invocation failed. */
export const ERROR_TYPES = [
  'handler_error',
  'crash',
  'timeout',
  'start_failed',
  'cold_start_timeout',
  'client_closed',
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

export function gatewayMetrics(
  namespace: string,
  ready: () => boolean,
  lie: boolean,
  concurrency: () => Iterable<[name: string, executions: number]>,
) {
  const { registry, errors } = commonMetrics('gateway', ready, [
    'unknown_function',
    'operator_unavailable',
    'registry',
    'malformed',
  ]);
  const registers = [registry];
  const labels = ['function', 'namespace'] as const;
  const invocations = new Counter({
    name: 'knative_lambda_function_invocations_total',
    help: 'Invocations, by outcome: error when there was no answer or a 5xx',
    labelNames: [...labels, 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'knative_lambda_function_duration_seconds',
    help: 'From the request to the whole answer, the wait for a start included',
    labelNames: labels,
    buckets: FUNCTION_BUCKETS,
    registers,
  });
  const functionErrors = new Counter({
    name: 'knative_lambda_function_errors_total',
    help: 'Failed invocations, by reason',
    labelNames: [...labels, 'error_type'],
    registers,
  });
  const coldStarts = new Counter({
    name: 'knative_lambda_function_cold_starts_total',
    help: 'Starts of an instance that a request had to wait for, as none was ready',
    labelNames: labels,
    registers,
  });
  const histogram = (name: string, help: string) =>
    new Histogram({
      name: `knative_lambda_function_${name}`,
      help,
      labelNames: labels,
      buckets: WAIT_BUCKETS,
      registers,
    });
  const coldStart = histogram(
    'cold_start_duration_seconds',
    'From the first request that waits to its handover',
  );
  const toZero = histogram('scale_to_zero_seconds', 'From the end of the last request to no instance');
  const up = histogram(
    'scale_up_seconds',
    'From the wish for an instance, with none there, to one that is ready',
  );
  new Gauge({
    name: 'knative_lambda_function_concurrent_executions',
    help: 'Requests that functions work on, or that wait for one',
    labelNames: labels,
    registers,
    collect() {
      for (const [name, executions] of concurrency()) this.set({ function: name, namespace }, executions);
    },
  });
  const of = (name: string) => ({ function: name, namespace });
  return {
    registry,
    /** Sets every series of a function to 0, so that rate() sees the first increment. */
    know(name: string) {
      for (const status of ['success', 'error']) invocations.inc({ ...of(name), status }, 0);
      for (const error_type of ERROR_TYPES) functionErrors.inc({ ...of(name), error_type }, 0);
      coldStarts.inc(of(name), 0);
      for (const each of [duration, coldStart, toZero, up]) each.zero(of(name));
    },
    invoked(name: string, seconds: number, error: ErrorType | undefined) {
      const failed = error !== undefined && !lie;
      invocations.inc({ ...of(name), status: failed ? 'error' : 'success' });
      if (failed) functionErrors.inc({ ...of(name), error_type: error });
      duration.observe(of(name), seconds);
    },
    coldStarted(name: string, seconds: number) {
      coldStarts.inc(of(name));
      coldStart.observe(of(name), seconds);
    },
    scaledUp: (name: string, seconds: number) => up.observe(of(name), seconds),
    scaledToZero: (name: string, seconds: number) => toZero.observe(of(name), seconds),
    error: (error_type: string) => errors.inc({ component: 'gateway', error_type }),
  };
}
export type GatewayMetrics = ReturnType<typeof gatewayMetrics>;
