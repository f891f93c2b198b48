/** What every component's metrics share: registry, readiness, error counter, bucket sets of the design review and SRE guide. */
import { Counter, Gauge, Registry } from 'prom-client';

/** Design review, 2.4: reconcile duration. */
export const RECONCILE_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Design review, 2.4: build duration by runtime and result. */
export const OPERATOR_BUILD_BUCKETS = [10, 30, 60, 120, 300, 600, 900, 1200, 1800];
/** Design review, 2.4: function execution duration. */
export const FUNCTION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Not given by the seeds; reaches from a local build to beyond the alerts' 90 s and 120 s. */
export const BUILD_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 90, 120, 180, 300, 600];
/** Waits and starts: from milliseconds to the 5 minutes of scale-to-zero. */
export const WAIT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export interface CommonMetrics {
  registry: Registry;
  errors: Counter<'component' | 'error_type'>;
}

/** `errorTypes` are set to 0, so that rate() sees the first error. `ready` is asked at each scrape. */
export function commonMetrics(component: string, ready: () => boolean, errorTypes: string[]): CommonMetrics {
  const registry = new Registry();
  new Gauge({
    name: 'knative_lambda_component_ready',
    help: '1 when the component is ready: broker connection open, and its consumer active where it has one',
    labelNames: ['component'],
    registers: [registry],
    collect() {
      this.set({ component }, ready() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since the Unix epoch in seconds',
    registers: [registry],
  }).set(Math.round(Date.now() - process.uptime() * 1000) / 1000);
  const errors = new Counter({
    name: 'knative_lambda_operator_errors_total',
    help: 'Errors by component and type',
    labelNames: ['component', 'error_type'],
    registers: [registry],
  });
  for (const error_type of errorTypes) errors.inc({ component, error_type }, 0);
  return { registry, errors };
}
