/** What measures the user's own platform: the harness brings it along into the platform's namespace. */
import type { Manifest } from '../../../kind/kubernetes.ts';
import type { Profile } from '../../profile.ts';
import { type Owners, ownerOf } from '../chaos.ts';
import type { Measured } from '../common.ts';
import { hasControlPlane, type Place } from '../place.ts';
import { alertmanager, kubeStateMetrics, prometheus } from '../services.ts';
import { doorOf } from './components.ts';
import type { PodTargets } from './pod-targets.ts';

/** Its Deployments. */
export const MONITORING = ['prometheus', 'alertmanager', 'kube-state-metrics'];

/** Names of the lists that Prometheus is told (pod-targets.ts). */
export const FUNCTIONS = 'functions';
export const listOf = (component: string) => `component/${component}`;

/** @param targets which tell Prometheus of pods that are not behind a Service of theirs, or several of them behind one */
export function monitoring(
  place: Place,
  request: Measured,
  { components, functionMetrics }: Profile,
  { namespace, owners, targets }: { namespace: string; owners: Owners; targets: PodTargets },
): Manifest[] {
  const { images, nodes } = place;
  const where = { namespace, image: images.services, onControlPlane: hasControlPlane(place) };
  const scraped = Object.entries(components);
  // Through one Service, each scrape would find another one of several replicas, and counters that leap.
  const isOne = (name: string) => ownerOf(owners, name).replicas <= 1;
  const discovered = scraped.flatMap(([name, { metrics }]) =>
    isOne(name)
      ? []
      : [{ job: metrics.job, path: metrics.path, url: targets.url(listOf(name)), ownLabels: false }],
  );
  if (functionMetrics) {
    const { job, path } = functionMetrics;
    // Theirs name the function and its namespace.
    discovered.push({ job, path, url: targets.url(FUNCTIONS), ownLabels: true });
  }
  return [
    ...alertmanager({ ...where, webhookUrl: request.webhookUrl, timeScale: request.timeScale }),
    ...kubeStateMetrics({ ...where, image: images.kubeStateMetrics }),
    ...prometheus({
      ...where,
      ...{ nodes, kubeStateMetrics: true, discovered },
      ...{ rules: request.rules, scrapeMs: request.scrapeMs, evaluationMs: request.evaluationMs },
      timeScale: request.timeScale,
      targets: scraped.flatMap(
        ([
          name,
          {
            metrics: { job, port, path },
          },
        ]) => (isOne(name) ? [{ job, address: `${doorOf(name)}:${port}`, path }] : []),
      ),
    }),
  ];
}
