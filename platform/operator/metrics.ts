/** The operator's metrics. */
import { Counter, Gauge, Histogram } from 'prom-client';
import { commonMetrics, RECONCILE_BUCKETS } from '../common/metrics.ts';
import { PHASES, type Phase } from './lambda-function.ts';
import { VERBS, type Verb } from './store.ts';

const SERVICE_STATUSES = ['created', 'updated', 'ready', 'failed', 'deleted'] as const;

export function operatorMetrics(
  namespace: string,
  ready: () => boolean,
  state: () => { phases: Map<string, number>; functions: number },
) {
  const { registry, errors } = commonMetrics('operator', ready, ['reconcile', 'malformed', 'refused']);
  const registers = [registry];
  const reconciles = new Counter({
    name: 'knative_lambda_operator_reconcile_total',
    help: 'Reconciliations, by the phase that they found',
    labelNames: ['phase', 'result'],
    registers,
  });
  for (const phase of PHASES) for (const result of ['success', 'error']) reconciles.inc({ phase, result }, 0);
  const duration = new Histogram({
    name: 'knative_lambda_operator_reconcile_duration_seconds',
    help: 'Duration of a reconciliation',
    labelNames: ['phase'],
    buckets: RECONCILE_BUCKETS,
    registers,
  });
  for (const phase of PHASES) duration.zero({ phase });
  new Gauge({
    name: 'knative_lambda_operator_lambdafunctions_total',
    help: 'Functions, by phase',
    labelNames: ['namespace', 'phase'],
    registers,
    collect() {
      const { phases } = state();
      for (const phase of PHASES) this.set({ namespace, phase }, phases.get(phase) ?? 0);
    },
  });
  new Gauge({
    name: 'knative_lambda_operator_eventing_resources_total',
    help: 'Brokers that are connected, triggers (one a function)',
    labelNames: ['namespace', 'resource_type'],
    registers,
    collect() {
      this.set({ namespace, resource_type: 'broker' }, ready() ? 1 : 0);
      this.set({ namespace, resource_type: 'trigger' }, state().functions);
    },
  });
  const apiserver = new Counter({
    name: 'knative_lambda_operator_apiserver_requests_total',
    help: 'Requests to the store of objects',
    labelNames: ['verb', 'resource', 'result'],
    registers,
  });
  const resource = 'lambdafunctions';
  for (const verb of VERBS)
    for (const result of ['success', 'error']) apiserver.inc({ verb, resource, result }, 0);
  const depth = new Gauge({
    name: 'knative_lambda_operator_workqueue_depth',
    help: 'Keys that wait in the work queue',
    registers,
  });
  depth.set(0);
  const latency = new Histogram({
    name: 'knative_lambda_operator_workqueue_latency_seconds',
    help: 'Time that a key waits in the work queue',
    buckets: RECONCILE_BUCKETS,
    registers,
  });
  const services = new Counter({
    name: 'knative_lambda_operator_service_events_total',
    help: 'Events of a function as a service',
    labelNames: ['status'],
    registers,
  });
  for (const status of SERVICE_STATUSES) services.inc({ status }, 0);
  return {
    registry,
    reconciled(phase: Phase, ok: boolean, seconds: number) {
      reconciles.inc({ phase, result: ok ? 'success' : 'error' });
      duration.observe({ phase }, seconds);
      if (!ok) errors.inc({ component: 'operator', error_type: 'reconcile' });
    },
    stored: (verb: Verb, ok: boolean) => apiserver.inc({ verb, resource, result: ok ? 'success' : 'error' }),
    depth: (items: number) => depth.set(items),
    waited: (seconds: number) => latency.observe(seconds),
    service: (status: (typeof SERVICE_STATUSES)[number]) => services.inc({ status }),
    error: (error_type: string) => errors.inc({ component: 'operator', error_type }),
  };
}
export type OperatorMetrics = ReturnType<typeof operatorMetrics>;
