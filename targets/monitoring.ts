/** Configuration of Prometheus and Alertmanager, the same on every target that brings them up. */
import { formatDuration } from '../base/duration.ts';

export interface ScrapeTarget {
  job: string;
  /** host:port */
  address: string;
  /** The same for all targets of a job. */
  path: string;
}

/** Job of Prometheus that scrapes a component of the reference platform. */
export const componentJob = (component: string) => `knative-lambda-${component}`;

export interface MonitoringTimes {
  scrapeMs: number;
  evaluationMs: number;
  timeScale: number;
}

/** @param rules path of the rule file @param extraJobs more entries of `scrape_configs`, as YAML */
export function prometheusConfig(
  options: MonitoringTimes & {
    rules: string;
    /** host:port */
    alertmanager: string;
    targets: ScrapeTarget[];
    extraJobs?: string;
  },
): string {
  const jobs = [...Map.groupBy(options.targets, (t) => t.job)].map(([job, targets]) => {
    const addresses = targets.map((t) => `'${t.address}'`).join(', ');
    return `  - job_name: ${job}\n    metrics_path: ${targets[0]?.path}\n    static_configs: [{ targets: [${addresses}] }]`;
  });
  return `global:
  scrape_interval: ${formatDuration(options.scrapeMs)}
  scrape_timeout: ${formatDuration(options.scrapeMs)}
  evaluation_interval: ${formatDuration(options.evaluationMs)}
rule_files: ['${options.rules}']
alerting:
  alertmanagers:
    - static_configs: [{ targets: ['${options.alertmanager}'] }]
scrape_configs:
${jobs.join('\n')}
${options.extraJobs ?? ''}`;
}

/** Prometheus's own defaults (5 min, 1 min), divided like everything else. */
export function prometheusFlags({ timeScale, scrapeMs }: MonitoringTimes): string[] {
  return [
    `--query.lookback-delta=${formatDuration(Math.max(300_000 / timeScale, 3 * scrapeMs))}`,
    `--rules.alert.resend-delay=${formatDuration(60_000 / timeScale)}`,
    '--log.level=warn',
  ];
}

/** Every alert is its own group: how fast one is delivered must not depend on another. */
export function alertmanagerConfig(webhookUrl: string, timeScale: number): string {
  const scaled = (ms: number) => formatDuration(ms / timeScale);
  return `route:
  receiver: harness
  group_by: ['...']
  group_wait: ${scaled(10_000)}
  group_interval: ${scaled(30_000)}
  repeat_interval: 4h
receivers:
  - name: harness
    webhook_configs: [{ url: '${webhookUrl}', send_resolved: true }]
`;
}
