/** Everything that a dashboard can ask Prometheus for, taken from the code that exposes or scrapes it wherever there is such code. */
import type { Registry } from 'prom-client';
import { parse } from 'yaml';
import { builderMetrics } from '../platform/builder/metrics.ts';
import type { Logger } from '../platform/common/log.ts';
import { loadConfig } from '../platform/config.ts';
import { gatewayMetrics } from '../platform/gateway/metrics.ts';
import { operatorMetrics } from '../platform/operator/metrics.ts';
import { start as startReceiver } from '../platform/receiver/receiver.ts';
import type { Rule } from '../slo/rules.ts';
import { COMPONENTS } from '../targets/kind/platform.ts';
import { prometheus } from '../targets/kind/services.ts';
import { componentJob } from '../targets/monitoring.ts';

/** Label -> the values that it is known to have; none are known for a label that can have any. */
type Labels = Map<string, Set<string>>;

export interface Exposed {
  /** Name of a series -> its labels. */
  metrics: Map<string, Labels>;
}

/**
 * What other people's exporters give, of which only this is used. Sources: RabbitMQ 3.10, deps/rabbitmq_prometheus/metrics.md
 * (`/metrics/per-object`); kube-state-metrics 2, docs/metrics/workload/pod-metrics.md; cAdvisor, docs/storage/prometheus.md.
 */
const FOREIGN: Record<string, string[]> = {
  rabbitmq_queue_messages_ready: ['queue', 'vhost'],
  rabbitmq_queue_messages_unacked: ['queue', 'vhost'],
  rabbitmq_queue_consumers: ['queue', 'vhost'],
  rabbitmq_process_resident_memory_bytes: [],
  rabbitmq_resident_memory_limit_bytes: [],
  kube_pod_status_phase: ['namespace', 'pod', 'phase'],
  kube_pod_container_status_restarts_total: ['namespace', 'pod', 'container'],
};
/** Of containers; which of its metrics are kept is in the configuration of Prometheus. */
const CADVISOR = ['namespace', 'pod', 'container'];

export async function exposedBy(rules: readonly Rule[]): Promise<Exposed> {
  const { jobs, cadvisor } = scraped();
  const platform = ['rabbitmq', ...COMPONENTS.map(componentJob)];
  const metrics = new Map<string, Labels>();
  /** Prometheus gives every series the labels of its target. */
  const labelsOf = (name: string): Labels => {
    const labels: Labels =
      metrics.get(name) ?? new Map([...withAny(['instance']), ['job', new Set([...platform, ...jobs])]]);
    metrics.set(name, labels);
    return labels;
  };
  const add = (name: string, labels: Labels) => {
    const known = labelsOf(name);
    for (const [label, values] of labels) known.set(label, new Set([...(known.get(label) ?? []), ...values]));
  };
  for (const registry of await platformRegistries())
    for (const [name, labels] of await seriesOf(registry)) add(name, labels);
  for (const [name, labels] of Object.entries(FOREIGN)) add(name, withAny(labels));
  for (const name of cadvisor) add(name, withAny(CADVISOR));
  add('up', new Map());
  add('ALERTS', new Map([['alertstate', new Set(['pending', 'firing'])]]));
  for (const rule of rules) {
    if (rule.kind === 'record') add(rule.name, withAny(Object.keys(rule.labels)));
    else
      for (const [label, value] of Object.entries({ ...rule.labels, alertname: rule.name }))
        addValue(labelsOf('ALERTS'), label, value);
  }
  return { metrics };
}

const withAny = (labels: string[]): Labels => new Map(labels.map((label) => [label, new Set()]));

/** One that the gateway knows: it stands for all of them. */
export const SOME_FUNCTION = 'x';
const NAMESPACE = 'knative-lambda';
const never = () => false;

/** The registries that /metrics answers from, of all components. */
async function platformRegistries(): Promise<Registry[]> {
  const gateway = gatewayMetrics(NAMESPACE, never, false, () => [[SOME_FUNCTION, 0]]);
  gateway.know(SOME_FUNCTION);
  const operator = operatorMetrics(NAMESPACE, never, () => ({ phases: new Map(), functions: 0 }));
  // The receiver makes its metrics as it starts. Nothing listens at this port: it goes on trying until it is stopped.
  const config = loadConfig('receiver', { AMQP_URL: 'amqp://127.0.0.1:1' });
  const receiver = await startReceiver(config, SILENT);
  await receiver.stop();
  return [
    gateway.registry,
    operator.registry,
    receiver.registry,
    builderMetrics(NAMESPACE, never, false).registry,
  ];
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Read from the text that Prometheus scrapes: what the platform says of itself before anything has happened. */
async function seriesOf(registry: Registry): Promise<Map<string, Labels>> {
  const series = new Map<string, Labels>();
  for (const line of (await registry.metrics()).split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = series.get(name) ?? new Map();
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) addValue(known, label, value);
    series.set(name, known);
  }
  return series;
}

function addValue(labels: Labels, label = '', value = ''): void {
  labels.set(label, (labels.get(label) ?? new Set()).add(value));
}

/** What Prometheus on the cluster scrapes besides the platform: names of the jobs, and the metrics that it keeps of cAdvisor. */
function scraped(): { jobs: string[]; cadvisor: string[] } {
  const manifests = prometheus({
    ...{ namespace: NAMESPACE, image: '', rules: '', targets: [] },
    ...{ nodes: [{ name: 'node', address: '' }], kubeStateMetrics: true, onControlPlane: true },
    ...{ scrapeMs: 30_000, evaluationMs: 30_000, timeScale: 1 },
  });
  const files = manifests.find(({ kind }) => kind === 'ConfigMap') as unknown as {
    data: Record<string, string>;
  };
  const { scrape_configs: configs } = parse(files.data['prometheus.yml'] ?? '') as {
    scrape_configs: { job_name: string; metric_relabel_configs?: { action: string; regex: string }[] }[];
  };
  const kept = configs.flatMap((c) => c.metric_relabel_configs ?? []).find(({ action }) => action === 'keep');
  return { jobs: configs.map((c) => c.job_name), cadvisor: kept?.regex.split('|') ?? [] };
}
