/** What measures the user's own platform: the harness brings it along into the platform's namespace. */
import type { Manifest } from '../../../kind/kubernetes.ts';
import type { Profile } from '../../profile.ts';
import type { TargetRequest } from '../../target.ts';
import { hasControlPlane, type Place } from '../place.ts';
import { alertmanager, kubeStateMetrics, prometheus } from '../services.ts';
import { doorOf } from './components.ts';

/** Its Deployments. */
export const MONITORING = ['prometheus', 'alertmanager', 'kube-state-metrics'];

/** @param functionsUrl tells Prometheus which pods functions have (function-targets.ts) */
export function monitoring(
  place: Place,
  request: TargetRequest,
  { components, functionMetrics }: Profile,
  namespace: string,
  functionsUrl: string | undefined,
): Manifest[] {
  const { images, nodes } = place;
  const where = { namespace, image: images.services, onControlPlane: hasControlPlane(place) };
  const functions = functionMetrics &&
    functionsUrl !== undefined && { job: functionMetrics.job, path: functionMetrics.path, url: functionsUrl };
  return [
    ...alertmanager({ ...where, webhookUrl: request.webhookUrl, timeScale: request.timeScale }),
    ...kubeStateMetrics({ ...where, image: images.kubeStateMetrics }),
    ...prometheus({
      ...where,
      ...{
        nodes: nodes.map(({ name }) => name),
        kubeStateMetrics: true,
        ...(functions ? { functions } : {}),
      },
      ...{ rules: request.rules, scrapeMs: request.scrapeMs, evaluationMs: request.evaluationMs },
      timeScale: request.timeScale,
      targets: Object.entries(components).map(([name, { metrics }]) => ({
        ...{ job: metrics.job, address: `${doorOf(name)}:${metrics.port}`, path: metrics.path },
      })),
    }),
  ];
}
