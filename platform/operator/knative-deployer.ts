/** Revisions on a cluster: one Knative Service a function, named as it (PLATFORM.md, "Life of a function"). */
import { wire } from '../common/wire.ts';
import type { Config } from '../config.ts';
import { type Cluster, condition, type KubeObject } from '../kubernetes/cluster.ts';
import type { Deployer } from './deployer.ts';
import type { LambdaFunction, Revision } from './lambda-function.ts';

/** Also the grace of a function's pods: a node that is drained waits no longer for one. */
const TIMEOUT_S = 20;
const ROUTE_EVERY_MS = 200;
const ROUTE_WITHIN_MS = 2000;

/** @param onNews called with a function's name when its Service changed */
export function knativeDeployer(
  cluster: Cluster,
  config: Config<'operator'>,
  onNews: (name: string) => void,
): Deployer {
  /** What was applied last, by function: told again only when it differs. */
  const applied = new Map<string, string>();
  /** The Service, with its generation, at which a function's route was seen to answer, by function. */
  const answered = new Map<string, string>();
  const asked = new Set<string>();

  /** Beside the reconciliation, which a cold start behind the route would hold up. The news is that it answers, or is to be asked again. */
  async function askRoute(name: string, version: string): Promise<void> {
    if (asked.has(name)) return;
    asked.add(name);
    if (await answers(`http://${name}.${cluster.namespace}.svc.cluster.local/health`))
      answered.set(name, version);
    else await new Promise((resolve) => setTimeout(resolve, ROUTE_EVERY_MS));
    asked.delete(name);
    onNews(name);
  }

  const forget = (name: string) => {
    applied.delete(name);
    answered.delete(name);
  };
  const services = cluster.watch(
    {
      ...{ apiVersion: 'serving.knative.dev/v1', kind: 'Service', plural: 'services' },
      labels: 'lambda.knative.io/name',
    },
    (service, gone) => {
      if (gone) forget(service.metadata.name);
      onNews(service.metadata.name);
    },
  );
  return {
    async rollOut(fn, revision) {
      const wanted = serviceOf(fn, revision, config);
      const text = JSON.stringify(wanted);
      let service = services.objects.get(fn.name);
      if (!service || applied.get(fn.name) !== text) {
        service = await cluster.apply(wanted);
        applied.set(fn.name, text);
      }
      if (service.status?.observedGeneration !== service.metadata.generation) return { state: 'starting' };
      const version = `${service.metadata.uid} ${service.metadata.generation}`;
      const ready = condition(service, 'Ready');
      if (ready.status === 'True') {
        if (answered.get(fn.name) === version) return { state: 'serves' };
        // The ingress may learn of a route a moment after Knative calls it Ready.
        void askRoute(fn.name, version);
        return { state: 'starting' };
      }
      if (ready.status === 'False' && ready.reason === 'RevisionFailed')
        return { state: 'failed', message: ready.message ?? ready.reason };
      return { state: 'starting' };
    },
    async remove(name) {
      await cluster.delete('serving.knative.dev/v1', 'Service', name);
      forget(name);
    },
    stop: () => services.stop(),
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const { status } = await wire({ method: 'GET', url, timeoutMs: ROUTE_WITHIN_MS });
    return status === 200;
  } catch {
    return false;
  }
}

function serviceOf(fn: LambdaFunction, revision: Revision, config: Config<'operator'>): KubeObject {
  const { minScale, maxScale, targetConcurrency } = fn.spec.scaling;
  const limit = Math.min(maxScale ?? config.MAX_SCALE, config.MAX_SCALE);
  const least = config.DEFECTS.has('forgets-scale-to-zero') ? Math.max(1, minScale ?? 0) : (minScale ?? 0);
  const labels = { 'lambda.knative.io/name': fn.name };
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: fn.name, labels },
    spec: {
      template: {
        metadata: {
          labels,
          annotations: {
            'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
            'autoscaling.knative.dev/min-scale': String(Math.min(least, limit)),
            'autoscaling.knative.dev/max-scale': String(limit),
            'autoscaling.knative.dev/target': String(targetConcurrency ?? config.TARGET_CONCURRENCY),
            'autoscaling.knative.dev/window': `${config.STABLE_WINDOW_MS / 1000}s`,
          },
        },
        spec: {
          timeoutSeconds: TIMEOUT_S,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          containers: [
            {
              image: `${config.PULL_REGISTRY}/${revision.image}@${revision.digest}`,
              ports: [{ containerPort: 8080 }],
              env: Object.entries(fn.spec.env).map(([name, value]) => ({ name, value })),
              readinessProbe: { httpGet: { path: '/health' } },
              resources: { requests: { cpu: '20m', memory: '48Mi' }, limits: { memory: '256Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                capabilities: { drop: ['ALL'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
        },
      },
    },
  };
}
