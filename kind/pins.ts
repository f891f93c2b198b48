/**
 * The one table of what a kind cluster is made of when its images are built from source, with the versions that resolve from
 * the Go module proxy. A version moves here and nowhere else; a changed entry rebuilds what depends on it.
 */

/** Commands that Go builds from one module of the proxy. */
export interface GoSource {
  module: string;
  /** Without the `v`. */
  version: string;
  /** Import paths of the commands; each binary has the last part of its path as its name, unless `rename` says otherwise. */
  commands: string[];
  rename?: Record<string, string>;
  /** More modules of the same release that the build needs. */
  alsoRequire?: Record<string, string>;
  /** Modules in the place of others, beyond those that the module's own go.mod replaces: `path@vX`, or `./directory` in kind/. */
  replace?: Record<string, string>;
  /** Files and directories of the module, `module:path`, that are kept beside the commands: manifests. */
  keep?: string[];
  /** Kubernetes: its staging modules are replaced by their published twins, `v0` for `v1`. */
  staging?: boolean;
  ldflags?: string;
  /** Parts of it are C. Linked statically all the same: the image that it runs in may have another C library than this machine. */
  cgo?: boolean;
}

const KUBERNETES = '1.34.4';
const ETCD = '3.6.5';

export const PINS = {
  kubernetes: {
    module: 'k8s.io/kubernetes',
    version: KUBERNETES,
    commands: [
      'kubeadm',
      'kubelet',
      'kubectl',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kube-proxy',
    ].map((name) => `k8s.io/kubernetes/cmd/${name}`),
    staging: true,
    // A kubeadm that does not know its own version asks the internet for one.
    ldflags: ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
      .flatMap((p) => [
        `-X ${p}.gitVersion=v${KUBERNETES}`,
        `-X ${p}.gitMajor=${KUBERNETES.split('.')[0]}`,
        `-X ${p}.gitMinor=${KUBERNETES.split('.')[1]}`,
        `-X ${p}.gitTreeState=clean`,
      ])
      .join(' '),
  },
  kind: { module: 'sigs.k8s.io/kind', version: '0.30.0', commands: ['sigs.k8s.io/kind'] },
  etcd: {
    module: 'go.etcd.io/etcd/server/v3',
    version: ETCD,
    commands: ['go.etcd.io/etcd/server/v3', 'go.etcd.io/etcd/etcdctl/v3'],
    rename: { server: 'etcd' },
    alsoRequire: { 'go.etcd.io/etcd/etcdctl/v3': ETCD },
  },
  coredns: {
    module: 'github.com/coredns/coredns',
    version: '1.12.1',
    commands: ['github.com/coredns/coredns'],
  },
  'local-path-provisioner': {
    module: 'github.com/rancher/local-path-provisioner',
    version: '0.0.30',
    commands: ['github.com/rancher/local-path-provisioner'],
  },
} satisfies Record<string, GoSource>;

export type SourceName = keyof typeof PINS;

/** What runs on the cluster beside Kubernetes itself. */
export const ADD_ONS = {
  knative: {
    module: 'knative.dev/serving',
    version: '0.46.0',
    commands: ['activator', 'autoscaler', 'controller', 'queue', 'webhook'].map(
      (name) => `knative.dev/serving/cmd/${name}`,
    ),
    // Module archives have no symbolic links: what config/core links to stands in modules of its own.
    keep: [
      'knative.dev/serving:config/core',
      'knative.dev/networking:config',
      'knative.dev/caching:config/image.yaml',
    ],
  },
  traefik: {
    module: 'github.com/traefik/traefik/v3',
    version: '3.6.7',
    commands: ['github.com/traefik/traefik/v3/cmd/traefik'],
    replace: {
      'github.com/abbot/go-http-auth': './no-http-auth',
    },
    ldflags: '-X github.com/traefik/traefik/v3/pkg/version.Version=3.6.7',
  },
  kaniko: {
    module: 'github.com/GoogleContainerTools/kaniko',
    version: '1.23.2',
    commands: ['github.com/GoogleContainerTools/kaniko/cmd/executor'],
  },
  'chaos-mesh': {
    module: 'github.com/chaos-mesh/chaos-mesh',
    version: '0.9.1-0.20260902003049-47411975a8cb',
    commands: ['chaos-controller-manager', 'chaos-daemon', 'chaos-daemon-helper'].map(
      (name) => `github.com/chaos-mesh/chaos-mesh/cmd/${name}`,
    ),
    rename: { 'chaos-daemon-helper': 'cdh' },
    // Its own go.mod names a directory beside it, which no module archive has.
    replace: {
      'github.com/chaos-mesh/chaos-mesh/api':
        'github.com/chaos-mesh/chaos-mesh/api@v0.0.0-20260906172039-d70b66ad97ac',
    },
    keep: ['github.com/chaos-mesh/chaos-mesh:helm/chaos-mesh'],
    // The daemon's ptrace and its client of a kernel module.
    cgo: true,
  },
  // Only renders Chaos Mesh's chart.
  helm: { module: 'helm.sh/helm/v3', version: '3.22.0', commands: ['helm.sh/helm/v3/cmd/helm'] },
} satisfies Record<string, GoSource>;

/** What the platform stands on beside Debian's packages. */
export const SERVICES = {
  versitygw: {
    module: 'github.com/versity/versitygw',
    version: '1.8.0',
    commands: ['github.com/versity/versitygw/cmd/versitygw'],
  },
  'kube-state-metrics': {
    module: 'k8s.io/kube-state-metrics/v2',
    version: '2.18.0',
    commands: ['k8s.io/kube-state-metrics/v2'],
  },
} satisfies Record<string, GoSource>;

/** Debian release and packages of the nodes' root file system. Source: kind v0.30.0, images/base/Dockerfile. */
export const NODE_SYSTEM = {
  suite: 'bookworm',
  packages: [
    // Services, and what runs containers.
    ...['systemd', 'dbus', 'containerd', 'runc', 'containernetworking-plugins'],
    // What kubelet, kube-proxy and Chaos Mesh call.
    ...[
      'iptables',
      'nftables',
      'conntrack',
      'ethtool',
      'socat',
      'ipset',
      'iproute2',
      'kmod',
      'mount',
      'util-linux',
    ],
    // What kind's own scripts call.
    ...['bash', 'ca-certificates', 'curl', 'jq', 'procps', 'libseccomp2'],
  ],
};

/** The small root file system of images that need a shell: kube-proxy with its libraries, the pod network, volume helpers. */
export const TOOLS_SYSTEM = {
  suite: 'bookworm',
  packages: [
    'iptables',
    'nftables',
    'conntrack',
    'ipset',
    'iproute2',
    'kmod',
    'jq',
    'curl',
    'ca-certificates',
  ],
};

/** Names under which kubeadm, kind and our manifests look for the images. Checked against `kubeadm config images list`. */
export const IMAGES = {
  apiserver: `registry.k8s.io/kube-apiserver:v${KUBERNETES}`,
  controllerManager: `registry.k8s.io/kube-controller-manager:v${KUBERNETES}`,
  scheduler: `registry.k8s.io/kube-scheduler:v${KUBERNETES}`,
  proxy: `registry.k8s.io/kube-proxy:v${KUBERNETES}`,
  coredns: 'registry.k8s.io/coredns/coredns:v1.12.1',
  etcd: `registry.k8s.io/etcd:${ETCD}-0`,
  pause: 'registry.k8s.io/pause:3.10.1',
  podNetwork: 'faultline.dev/pod-network:1',
  localPath: 'faultline.dev/local-path-provisioner:0.0.30',
  volumeHelper: 'faultline.dev/volume-helper:1',
} as const;

export const KUBERNETES_VERSION = KUBERNETES;

/** The cluster's image registry. */
export const REGISTRY_SYSTEM = { suite: 'bookworm', packages: ['docker-registry', 'ca-certificates'] };

/** Broker, metrics and alerts of the platform: the versions that target `local` takes from Debian as well. */
export const SERVICES_SYSTEM = {
  suite: 'bookworm',
  packages: ['rabbitmq-server', 'prometheus', 'prometheus-alertmanager', 'ca-certificates'],
};

/** What Chaos Mesh's daemon calls. Source: images/chaos-daemon/Dockerfile; without what IO, HTTP and JVM faults need. */
export const CHAOS_DAEMON_SYSTEM = {
  suite: 'bookworm',
  packages: [
    'iptables',
    'ebtables',
    'ipset',
    'iproute2',
    'kmod',
    'procps',
    'stress-ng',
    'util-linux',
    'ca-certificates',
  ],
};
