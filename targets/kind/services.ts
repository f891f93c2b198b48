/** The real services that the platform stands on, as objects of the cluster: RabbitMQ, object store, Prometheus, Alertmanager. */
import { formatDuration } from '../../base/duration.ts';
import { expensiveScrapeMs } from '../../base/scrape.ts';
import type { Manifest } from '../../kind/kubernetes.ts';
import { ON_CONTROL_PLANE, TOLERATES_CONTROL_PLANE } from '../../kind/placement.ts';
import {
  alertmanagerConfig,
  type MonitoringTimes,
  prometheusConfig,
  prometheusFlags,
  type ScrapeTarget,
} from '../monitoring.ts';

/** Keys: `url`, as the platform connects; `cookie`, `password`. */
export const RABBITMQ_SECRET = 'rabbitmq';
/** Keys: `access`, `secret`. */
export const OBJECT_STORE_SECRET = 'object-store';
export const RABBITMQ_USER = 'faultline';
export const BUCKET = 'lambda-functions';

interface Placed {
  namespace: string;
  image: string;
}

/** What watches. */
interface Apart extends Placed {
  /** There is a control plane to put it on: evidence must not go with a worker that a fault takes. */
  onControlPlane: boolean;
}

const object = (
  apiVersion: string,
  kind: string,
  namespace: string,
  name: string,
  rest: object,
): Manifest => ({
  ...{ apiVersion, kind, metadata: { name, namespace } },
  ...rest,
});

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: 65_532,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/**
 * A cluster of nodes with fixed names. A minority that is cut off pauses (`pause_minority`), as RabbitMQ's documentation advises
 * for queues that must not lose ("Clustering and Network Partitions"). Its volumes go with the run's namespace.
 */
export function rabbitmq(
  options: Placed & { replicas: number; password: string; cookie: string; statisticsMs: number },
): Manifest[] {
  const { namespace, image, replicas, password, cookie } = options;
  const name = 'rabbitmq';
  const nodes = `${name}-nodes`;
  const host = (ordinal: number | string) => `${name}-${ordinal}.${nodes}.${namespace}.svc.cluster.local`;
  const config = [
    'listeners.tcp.default = 5672',
    'loopback_users = none',
    `default_user = ${RABBITMQ_USER}`,
    `default_pass = ${password}`,
    'heartbeat = 5',
    'cluster_formation.peer_discovery_backend = classic_config',
    ...Array.from(
      { length: replicas },
      (_, i) => `cluster_formation.classic_config.nodes.${i + 1} = rabbit@${host(i)}`,
    ),
    'cluster_partition_handling = pause_minority',
    `collect_statistics_interval = ${Math.round(options.statisticsMs)}`,
    'log.console = true',
    'log.console.level = warning',
    'log.file = false',
  ];
  const labels = { app: name };
  return [
    object('v1', 'Secret', namespace, RABBITMQ_SECRET, {
      stringData: {
        ...{ password, cookie },
        url: `amqp://${RABBITMQ_USER}:${password}@${name}:5672`,
        'rabbitmq.conf': `${config.join('\n')}\n`,
        enabled_plugins: '[rabbitmq_management_agent,rabbitmq_prometheus].\n',
      },
    }),
    object('v1', 'Service', namespace, nodes, {
      spec: {
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        selector: labels,
        ports: [{ name: 'amqp', port: 5672 }],
      },
    }),
    object('v1', 'Service', namespace, name, {
      spec: {
        selector: labels,
        ports: [
          { name: 'amqp', port: 5672 },
          { name: 'metrics', port: 15_692 },
        ],
      },
    }),
    object('v1', 'Service', namespace, `${name}-harness`, {
      spec: { type: 'NodePort', selector: labels, ports: [{ name: 'amqp', port: 5672 }] },
    }),
    object('policy/v1', 'PodDisruptionBudget', namespace, name, {
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    }),
    object('apps/v1', 'StatefulSet', namespace, name, {
      spec: {
        serviceName: nodes,
        replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 10,
            securityContext: { fsGroup: 65_532 },
            // A node for each of three, the control plane among them: with two workers, one would have the majority.
            tolerations: [TOLERATES_CONTROL_PLANE],
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  {
                    weight: 100,
                    podAffinityTerm: {
                      topologyKey: 'kubernetes.io/hostname',
                      labelSelector: { matchLabels: labels },
                    },
                  },
                ],
              },
            },
            containers: [
              {
                name,
                image,
                // The cookie must be a file of its own that only its owner can read.
                command: ['sh', '-ec'],
                args: [
                  'printf %s "$COOKIE" >"$HOME/.erlang.cookie"; chmod 600 "$HOME/.erlang.cookie"; exec /usr/lib/rabbitmq/bin/rabbitmq-server',
                ],
                env: [
                  { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                  { name: 'COOKIE', valueFrom: { secretKeyRef: { name: RABBITMQ_SECRET, key: 'cookie' } } },
                  ...Object.entries({
                    HOME: '/var/lib/faultline',
                    RABBITMQ_NODENAME: `rabbit@$(POD).${nodes}.${namespace}.svc.cluster.local`,
                    RABBITMQ_USE_LONGNAME: 'true',
                    RABBITMQ_CONFIG_FILE: '/etc/faultline/rabbitmq.conf',
                    RABBITMQ_ENABLED_PLUGINS_FILE: '/etc/faultline/enabled_plugins',
                    RABBITMQ_MNESIA_BASE: '/var/lib/faultline/mnesia',
                    RABBITMQ_LOG_BASE: '/var/lib/faultline/log',
                    RABBITMQ_PID_FILE: '/var/lib/faultline/pid',
                    RABBITMQ_CONF_ENV_FILE: '/dev/null',
                    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
                      '+sbwt none +sbwtdcpu none +sbwtdio none -kernel net_ticktime 15',
                  }).map(([key, value]) => ({ name: key, value })),
                ],
                ports: [
                  { name: 'amqp', containerPort: 5672 },
                  { name: 'metrics', containerPort: 15_692 },
                ],
                // What RabbitMQ's own checks ask costs a second of CPU each time: the port serves.
                readinessProbe: { tcpSocket: { port: 'amqp' }, periodSeconds: 2 },
                startupProbe: { tcpSocket: { port: 'amqp' }, periodSeconds: 2, failureThreshold: 60 },
                resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '768Mi' } },
                volumeMounts: [
                  { name: 'data', mountPath: '/var/lib/faultline' },
                  { name: 'tmp', mountPath: '/tmp' },
                  { name: 'config', mountPath: '/etc/faultline' },
                ],
                securityContext: RESTRICTED,
              },
            ],
            volumes: [
              { name: 'tmp', emptyDir: {} },
              { name: 'config', secret: { secretName: RABBITMQ_SECRET } },
            ],
          },
        },
        // A node that comes back without its data is a stranger to its peers.
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: VOLUME,
          },
        ],
      },
    }),
  ];
}

/** Of the cluster's default StorageClass. */
const VOLUME = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

/** One container that serves one port. */
function single(
  { namespace, image }: Placed,
  name: string,
  port: number,
  spec: {
    command?: string[];
    args: string[];
    env?: object[];
    readyPath: string;
    /** ConfigMap of the same name at /etc/faultline. */
    config?: Record<string, string>;
    serviceAccount?: string;
    /** Reached from the host. */
    outside?: boolean;
    memory: string;
    onControlPlane?: boolean;
    /** Its data outlives its pod. */
    keepsData?: boolean;
  },
): Manifest[] {
  const labels = { app: name };
  const mounts = [{ name: 'data', mountPath: '/data' }];
  const volumes: object[] = [
    { name: 'data', ...(spec.keepsData ? { persistentVolumeClaim: { claimName: name } } : { emptyDir: {} }) },
  ];
  if (spec.config) {
    mounts.push({ name: 'config', mountPath: '/etc/faultline' });
    volumes.push({ name: 'config', configMap: { name } });
  }
  return [
    ...(spec.config ? [object('v1', 'ConfigMap', namespace, name, { data: spec.config })] : []),
    ...(spec.keepsData ? [object('v1', 'PersistentVolumeClaim', namespace, name, { spec: VOLUME })] : []),
    object('v1', 'Service', namespace, name, {
      spec: {
        type: spec.outside ? 'NodePort' : 'ClusterIP',
        selector: labels,
        ports: [{ name: 'http', port }],
      },
    }),
    object('apps/v1', 'Deployment', namespace, name, {
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            ...(spec.serviceAccount
              ? { serviceAccountName: spec.serviceAccount }
              : { automountServiceAccountToken: false }),
            enableServiceLinks: false,
            ...(spec.onControlPlane ? ON_CONTROL_PLANE : {}),
            terminationGracePeriodSeconds: 5,
            securityContext: { fsGroup: 65_532 },
            containers: [
              {
                ...{ name, image, args: spec.args, env: spec.env ?? [] },
                ...(spec.command ? { command: spec.command } : {}),
                ports: [{ name: 'http', containerPort: port }],
                readinessProbe: { httpGet: { path: spec.readyPath, port: 'http' }, periodSeconds: 2 },
                resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: spec.memory } },
                volumeMounts: mounts,
                securityContext: RESTRICTED,
              },
            ],
            volumes,
          },
        },
      },
    }),
  ];
}

export function objectStore(options: Placed & { access: string; secret: string }): Manifest[] {
  const { namespace, access, secret } = options;
  const from = (key: string) => ({ secretKeyRef: { name: OBJECT_STORE_SECRET, key } });
  const manifests = single(options, 'object-store', 9000, {
    args: ['--port', ':9000', '--health', '/healthz', '--quiet', 'posix', '--nometa', '/data'],
    env: [
      { name: 'ROOT_ACCESS_KEY', valueFrom: from('access') },
      { name: 'ROOT_SECRET_KEY', valueFrom: from('secret') },
    ],
    readyPath: '/healthz',
    // The harness puts sources there.
    outside: true,
    memory: '256Mi',
    keepsData: true,
  });
  // A bucket is a directory of the data's volume.
  const pod = manifests.find(({ kind }) => kind === 'Deployment') as Manifest & {
    spec: { template: { spec: { containers: { volumeMounts: object[] }[] } } };
  };
  pod.spec.template.spec.containers[0]?.volumeMounts.push({
    ...{ name: 'data', mountPath: `/data/${BUCKET}`, subPath: BUCKET },
  });
  return [
    object('v1', 'Secret', namespace, OBJECT_STORE_SECRET, { stringData: { access, secret } }),
    ...manifests,
  ];
}

/** What Kubernetes says of the namespace's objects. Address for Prometheus: `kube-state-metrics:8080`, path `/metrics`. */
export function kubeStateMetrics(options: Apart): Manifest[] {
  const { namespace } = options;
  const name = 'kube-state-metrics';
  const subject = { kind: 'ServiceAccount', name, namespace };
  return [
    object('v1', 'ServiceAccount', namespace, name, {}),
    object('rbac.authorization.k8s.io/v1', 'Role', namespace, name, {
      rules: [
        { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
        { apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs: ['list', 'watch'] },
      ],
    }),
    object('rbac.authorization.k8s.io/v1', 'RoleBinding', namespace, name, {
      ...{ roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }, subjects: [subject] },
    }),
    ...single(options, name, 8080, {
      args: ['--port=8080', '--resources=pods,deployments,statefulsets', `--namespaces=${namespace}`],
      readyPath: '/healthz',
      serviceAccount: name,
      memory: '128Mi',
      onControlPlane: options.onControlPlane,
    }),
  ];
}

const CADVISOR_KEPT = [
  'container_cpu_usage_seconds_total',
  'container_memory_working_set_bytes',
  'container_oom_events_total',
];

/** Source: Kubernetes' documentation, "Ports and Protocols". */
const KUBELET_PORT = 10_250;

interface Expensive {
  /** Whose containers are measured, by cAdvisor in their kubelet. Needs a ClusterRole and its binding, `<namespace>-prometheus`. */
  nodes?: { name: string; address: string }[];
  /** kubeStateMetrics() is applied as well. */
  kubeStateMetrics?: boolean;
  /** Jobs of pods, each scraped by itself; `url` tells which there are (own/pod-targets.ts). `ownLabels`: theirs win over Prometheus's. */
  discovered?: { job: string; path: string; url: string; ownLabels: boolean }[];
}

/** Samples come less often than Prometheus's scaled look-back is long: rules ask for a range, `last_over_time(...[30s])`. */
function expensiveJobs(
  { nodes = [], kubeStateMetrics: objects, discovered = [] }: Expensive,
  timeScale: number,
  scrapeMs: number,
): string {
  const every = formatDuration(expensiveScrapeMs(timeScale));
  const rhythm = `scrape_interval: ${every}\n    scrape_timeout: ${every}`;
  const kubelets = nodes.map(
    ({ name, address }) =>
      `      - { targets: ['${address || name}:${KUBELET_PORT}'], labels: { instance: '${name}' } }`,
  );
  const cadvisor = `  - job_name: cadvisor
    ${rhythm}
    scheme: https
    metrics_path: /metrics/cadvisor
    authorization: { credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token }
    # By default a kubelet signs its certificate itself: nobody could check it. With the token, a stranger in its place could read these metrics.
    tls_config: { insecure_skip_verify: true }
    static_configs:
${kubelets.join('\n')}
    metric_relabel_configs:
      - { source_labels: [__name__], regex: '${CADVISOR_KEPT.join('|')}', action: keep }
`;
  const state = `  - job_name: kube-state-metrics
    ${rhythm}
    # Its labels name the objects that are told of, not itself.
    honor_labels: true
    static_configs: [{ targets: ['kube-state-metrics:8080'] }]
`;
  const ofPods = discovered.map(
    ({ job, path, url, ownLabels }) => `  - job_name: ${job}
    metrics_path: ${path}
    honor_labels: ${ownLabels}
    http_sd_configs: [{ url: '${url}', refresh_interval: ${formatDuration(Math.max(scrapeMs, 1000))} }]
`,
  );
  return [nodes.length > 0 ? cadvisor : '', objects ? state : '', ...ofPods].join('');
}

/**
 * To be shown the metrics of these nodes' kubelets, which ask the API server whether Prometheus may see them. Source: Kubernetes'
 * documentation, "Kubelet authentication/authorization": `/metrics/*` is `nodes/metrics`. By way of the API server it would be
 * `nodes/proxy`, with which commands can be run in every pod of the node.
 */
function mayReadMetrics(namespace: string, nodes: { name: string }[]): Manifest[] {
  const metadata = { name: `${namespace}-prometheus` };
  const rbac = 'rbac.authorization.k8s.io';
  return [
    object('v1', 'ServiceAccount', namespace, 'prometheus', {}),
    {
      ...{ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata },
      rules: [
        {
          ...{ apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
          resourceNames: nodes.map(({ name }) => name),
        },
      ],
    },
    {
      ...{ apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: 'prometheus', namespace }],
    },
  ];
}

/** @param options.rules rule file, durations already scaled */
export function prometheus(
  options: Apart & MonitoringTimes & Expensive & { rules: string; targets: ScrapeTarget[] },
): Manifest[] {
  const { namespace, nodes = [] } = options;
  return [
    ...(nodes.length > 0 ? mayReadMetrics(namespace, nodes) : []),
    ...single(options, 'prometheus', 9090, {
      command: ['prometheus'],
      args: [
        '--config.file=/etc/faultline/prometheus.yml',
        '--storage.tsdb.path=/data',
        ...prometheusFlags(options),
      ],
      config: {
        'rules.yml': options.rules,
        'prometheus.yml': prometheusConfig({
          ...options,
          rules: 'rules.yml',
          alertmanager: 'alertmanager:9093',
          extraJobs: expensiveJobs(options, options.timeScale, options.scrapeMs),
        }),
      },
      ...(nodes.length > 0 ? { serviceAccount: 'prometheus' } : {}),
      readyPath: '/-/ready',
      outside: true,
      memory: '1Gi',
      onControlPlane: options.onControlPlane,
    }),
  ];
}

export function alertmanager(options: Apart & { webhookUrl: string; timeScale: number }): Manifest[] {
  return single(options, 'alertmanager', 9093, {
    command: ['prometheus-alertmanager'],
    args: [
      '--config.file=/etc/faultline/alertmanager.yml',
      '--storage.path=/data',
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    config: { 'alertmanager.yml': alertmanagerConfig(options.webhookUrl, options.timeScale) },
    readyPath: '/-/ready',
    outside: true,
    memory: '256Mi',
    onControlPlane: options.onControlPlane,
  });
}
