/** The reference platform's components as Deployments, one replica each, with the settings that `local` gives them as processes. */
import type { Manifest } from '../../kind/kubernetes.ts';
import type { ClusterState } from '../../kind/state.ts';
import type { Profile } from '../profile.ts';
import type { TargetRequest } from '../target.ts';
import { OBJECT_STORE_SECRET, RABBITMQ_SECRET } from './services.ts';

export const NAMESPACE = 'knative-lambda';
/** Of whatever platform there will be. */
export const namespaceOf = ({ speaks }: Profile) => (speaks.by === 'objects' ? speaks.namespace : NAMESPACE);
export const COMPONENTS = ['receiver', 'builder', 'gateway', 'operator'] as const;
export type Component = (typeof COMPONENTS)[number];

/** Of each component. */
export const MEMORY = { memoryRequest: '128Mi', memoryLimit: '512Mi' };

const PORT = 8080;
/** Source: PLATFORM.md, "Life of a function". */
const STABLE_WINDOW_MS = 60_000;
/** The shortest that Knative's autoscaler takes. */
const SHORTEST_WINDOW_MS = 6000;

export interface PlatformOptions {
  images: ClusterState['images'];
  /** What the nodes pull from: `host:port`. */
  pullRegistry: string;
  /** What builds push to, the throttle in between: `host:port`. */
  pushRegistry: string;
  request: Pick<TargetRequest, 'timeScale' | 'defects' | 'longestRecoveryMs' | 'spans'>;
}

export function platformManifests(options: PlatformOptions): Manifest[] {
  return COMPONENTS.flatMap((name) => [
    deployment(name, options),
    ...services(name),
    ...(name === 'receiver' ? [disruptionBudget(name)] : []),
  ]);
}

type Variable = { name: string; value: string } | { name: string; valueFrom: object };

/** The gateway's own /readyz wants the broker as well, which calls over HTTP do not need: they would have no door without it. */
const readyPath = (name: Component) => (name === 'gateway' ? '/healthz' : '/readyz');

function settings(name: Component, options: PlatformOptions): Record<string, string> {
  const { images, request, pushRegistry, pullRegistry } = options;
  const registry = { REGISTRY_URL: `http://${pushRegistry}` };
  switch (name) {
    case 'receiver':
      return {};
    case 'builder':
      return {
        ...registry,
        JOBS: 'kaniko',
        KANIKO_IMAGE: images.kaniko,
        PLATFORM_IMAGE: images.platform,
        // By the way that builds push: an image registry that throttles does so for both.
        FUNCTION_BASE_IMAGE: images.functionBase.replace(/^[^/]+/, pushRegistry),
        S3_ENDPOINT: 'http://object-store:9000',
        S3_SECRET_NAME: OBJECT_STORE_SECRET,
        BACKOFF_BASE_MS: '200',
        BACKOFF_MAX_MS: '5000',
        SLOW_RECOVERY_MS: String(Math.round(request.longestRecoveryMs * 1.5 + 5000)),
      };
    case 'gateway':
      return {
        ...registry,
        FUNCTIONS: 'knative',
        OPERATOR_URL: `http://operator:${PORT}`,
        WORK_DIR: '/tmp/work',
      };
    case 'operator':
      return {
        FUNCTIONS: 'knative',
        STATE_FILE: '/tmp/unused',
        PULL_REGISTRY: pullRegistry,
        STABLE_WINDOW_MS: String(stableWindowMs(request.timeScale)),
      };
  }
}

/** Whole seconds, as Knative wants them. */
export function stableWindowMs(timeScale: number): number {
  return Math.max(SHORTEST_WINDOW_MS, Math.round(STABLE_WINDOW_MS / timeScale / 1000) * 1000);
}

const fromSecret = (name: string, secret: string, key: string): Variable => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key } },
});

function deployment(name: Component, options: PlatformOptions): Manifest {
  const labels = { app: name, 'app.kubernetes.io/part-of': 'knative-lambda' };
  const env: Variable[] = [
    ...Object.entries({
      PORT: String(PORT),
      HOST: '0.0.0.0',
      NAMESPACE,
      QUEUE_TYPE: 'quorum',
      NODE_COMPILE_CACHE: '/tmp/compile-cache',
      DEFECTS: options.request.defects.join(','),
      OTEL_EXPORTER_OTLP_ENDPOINT: options.request.spans ?? '',
      ...settings(name, options),
    }).map(([key, value]) => ({ name: key, value })),
    fromSecret('AMQP_URL', RABBITMQ_SECRET, 'url'),
    ...(name === 'builder'
      ? [
          fromSecret('S3_ACCESS_KEY', OBJECT_STORE_SECRET, 'access'),
          fromSecret('S3_SECRET_KEY', OBJECT_STORE_SECRET, 'secret'),
        ]
      : []),
  ];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      replicas: 1,
      // Never two of one: each owns what it does (queues with one consumer, objects with one writer).
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          tolerations: lostNodeTolerations(options.request.timeScale),
          containers: [
            {
              name,
              image: options.images.platform,
              args: [`${name}/main.ts`],
              env,
              ports: [{ name: 'http', containerPort: PORT }],
              readinessProbe: {
                httpGet: { path: readyPath(name), port: 'http' },
                periodSeconds: 1,
                timeoutSeconds: 2,
              },
              livenessProbe: {
                httpGet: { path: '/healthz', port: 'http' },
                ...{ periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 6 },
              },
              resources: {
                requests: { cpu: '50m', memory: MEMORY.memoryRequest },
                limits: { memory: MEMORY.memoryLimit },
              },
              volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                capabilities: { drop: ['ALL'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
          volumes: [{ name: 'tmp', emptyDir: {} }],
        },
      },
    },
  };
}

/** Source: the DefaultTolerationSeconds admission plugin: a pod leaves a node that is gone after five minutes, here scaled. */
function lostNodeTolerations(timeScale: number): object[] {
  const tolerationSeconds = Math.ceil(300 / timeScale);
  return ['not-ready', 'unreachable'].map((state) => ({
    ...{ key: `node.kubernetes.io/${state}`, operator: 'Exists', effect: 'NoExecute' },
    tolerationSeconds,
  }));
}

/** Name of the way in for scrapes and probes. */
export const watched = (name: Component) => `${name}-watched`;

/**
 * Two ways in. For clients, to what is ready: a pod on a lost node must not get every second request. For scrapes and probes, also to
 * what is not: it says so itself, with 503 and metrics, which is more than a refused connection would tell.
 */
function services(name: Component): Manifest[] {
  const way = (service: string, publishNotReadyAddresses: boolean) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service, namespace: NAMESPACE },
    spec: {
      ...{ type: 'NodePort', publishNotReadyAddresses },
      selector: { app: name },
      ports: [{ name: 'http', port: PORT, targetPort: 'http' }],
    },
  });
  return [way(name, false), way(watched(name), true)];
}

function disruptionBudget(name: Component): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: NAMESPACE },
    // One replica: less would make its node impossible to drain.
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: name } } },
  };
}
