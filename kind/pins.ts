/**
 * The one table of what a kind cluster is made of, with the versions that resolve from the Go module proxy and, where upstream publishes
 * the same commands, the images that have them. A version moves here and nowhere else; a changed entry rebuilds what depends on it.
 */

/** Programs for Linux in a published image. */
export interface PublishedImage {
  /** `registry/name:tag@sha256:...`, of the same version as the source. The digest counts, the tag is for people. */
  image: string;
  /** Name of a command -> its path in the image. */
  files: Record<string, string>;
  /** Those that need a loader and a C library, since what they go into has them; the others must need none. */
  dynamic?: string[];
}

/** Source of the digests: release notes, release manifests and registry promotions, each seen in public text; none could be pulled here. */
const published = (
  image: string,
  digest: string,
  files: Record<string, string>,
  dynamic?: string[],
): PublishedImage => ({
  image: `${image}@sha256:${digest}`,
  files,
  ...(dynamic ? { dynamic } : {}),
});
const kubernetesImage = (name: string, digest: string) =>
  published(`registry.k8s.io/${name}:v${KUBERNETES}`, digest, { [name]: `/usr/local/bin/${name}` });
const knativeImage = (name: string, digest: string) =>
  // v1.19.0 is the release's name of the module's v0.46.0: the same commit.
  published(`gcr.io/knative-releases/knative.dev/serving/cmd/${name}:v1.19.0`, digest, {
    [name]: `/ko-app/${name}`,
  });

/** Commands that Go builds from one module of the proxy. */
export interface GoSource {
  module: string;
  /** Without the `v`. */
  version: string;
  /**
   * Import paths of the commands, or `./directory` in kind/ for one of ours that uses the module; each binary has the last part of its
   * path as its name, unless `rename` says otherwise.
   */
  commands: string[];
  rename?: Record<string, string>;
  /** More modules that the build needs, or with which it is to have its libraries in common. */
  alsoRequire?: Record<string, string>;
  /** Modules in the place of others, beyond those that the module's own go.mod replaces: `path@vX`, or `./directory` in kind/. */
  replace?: Record<string, string>;
  /** Packages in whose place ours stand, since nothing here uses them and they take long to compile: `module:package` by `./directory` in kind/. */
  instead?: Record<string, string>;
  /** Files and directories of the module, `module:path`, that are kept beside the commands: manifests. */
  keep?: string[];
  /** Kubernetes: its staging modules are replaced by their published twins, `v0` for `v1`. */
  staging?: boolean;
  ldflags?: string;
  /** Where upstream publishes all of the commands; absent: no image of it is pinned, so it is built. */
  published?: PublishedImage[];
  /** Parts of it are C. Linked statically all the same: the image that it runs in may have another C library than this machine. */
  cgo?: boolean;
}

// The newest of which digests of all of its images were found.
const KUBERNETES = '1.34.3';
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
    published: [
      // kind v0.31.0's release notes.
      published(
        `kindest/node:v${KUBERNETES}`,
        '08497ee19eace7b4b5348db5c6a1591d7752b164530a36f855cb0f2bdcbadd48',
        { kubeadm: '/usr/bin/kubeadm', kubelet: '/usr/bin/kubelet', kubectl: '/usr/bin/kubectl' },
        // The nodes are Debian, as kind's own are.
        ['kubelet'],
      ),
      kubernetesImage('kube-apiserver', '5af1030676ceca025742ef5e73a504d11b59be0e5551cdb8c9cf0d3c1231b460'),
      kubernetesImage(
        'kube-controller-manager',
        '716a210d31ee5e27053ea0e1a3a3deb4910791a85ba4b1120410b5a4cbcf1954',
      ),
      kubernetesImage('kube-scheduler', 'f9a9bc7948fd804ef02255fe82ac2e85d2a66534bae2fe1348c14849260a1fe2'),
      kubernetesImage('kube-proxy', '7298ab89a103523d02ff4f49bedf9359710af61df92efdc07bac873064f03ed6'),
    ],
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
    published: [
      published(
        `registry.k8s.io/etcd:${ETCD}-0`,
        '042ef9c02799eb9303abf1aa99b09f09d94b8ee3ba0c2dd3f42dc4e1d3dce534',
        { etcd: '/usr/local/bin/etcd', etcdctl: '/usr/local/bin/etcdctl' },
      ),
    ],
  },
  coredns: {
    module: 'github.com/coredns/coredns',
    version: '1.12.1',
    commands: ['github.com/coredns/coredns'],
    instead: { 'github.com/coredns/coredns:core/plugin': './few-dns-plugins' },
    published: [
      published(
        'registry.k8s.io/coredns/coredns:v1.12.1',
        'e8c262566636e6bc340ece6473b0eed193cad045384401529721ddbe6463d31c',
        { coredns: '/coredns' },
      ),
    ],
  },
  'local-path-provisioner': {
    module: 'github.com/rancher/local-path-provisioner',
    version: '0.0.30',
    commands: ['github.com/rancher/local-path-provisioner'],
    published: [
      published(
        'rancher/local-path-provisioner:v0.0.30',
        '9b914881170048f80ae9302f36e5b99b4a6b18af73a38adc1c66d12f65d360be',
        { 'local-path-provisioner': '/usr/bin/local-path-provisioner' },
      ),
    ],
  },
} satisfies Record<string, GoSource>;

export type SourceName = keyof typeof PINS;

/**
 * What links Kubernetes' client libraries and goes together, in one module graph: alone, each has its own versions of them, and they were
 * compiled four times. A version that moves here builds all of these anew. Not Knative: with the others' OpenTelemetry it compiles, and
 * panics at its start (conflicting schema URLs).
 */
const CLIENTS = {
  alsoRequire: {
    'github.com/traefik/traefik/v3': '3.6.7',
    'github.com/chaos-mesh/chaos-mesh': '0.9.1-0.20260902003049-47411975a8cb',
    'helm.sh/helm/v3': '3.20.2',
    'k8s.io/kube-state-metrics/v2': '2.18.0',
  },
  replace: {
    // Chaos Mesh's go.mod names a directory beside it, which no module archive has.
    'github.com/chaos-mesh/chaos-mesh/api':
      'github.com/chaos-mesh/chaos-mesh/api@v0.0.0-20260906172039-d70b66ad97ac',
    'github.com/abbot/go-http-auth': './no-http-auth',
    // The newest that Chaos Mesh compiles with.
    'sigs.k8s.io/controller-runtime': 'sigs.k8s.io/controller-runtime@v0.21.0',
    // Chaos Mesh replaces it by a version that the proxy does not have.
    'k8s.io/sample-controller': 'k8s.io/sample-controller@v0.34.3',
  },
} satisfies Partial<GoSource>;
const inClients = (module: keyof typeof CLIENTS.alsoRequire) => ({
  ...CLIENTS,
  module,
  version: CLIENTS.alsoRequire[module],
});

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
    published: [
      knativeImage('activator', '3e81e0b0e2ead666c131a17b437b1759e59ec2b066db49c493e4663e42fa4452'),
      knativeImage('autoscaler', '998a790f7f74caec6e7fc9084d7b85f25b6c011e753b26076c7db766587b3e08'),
      knativeImage('controller', 'd9f40097903d1d9f4108723d2e41dfc21039ff380671ab80723fc861d81b8071'),
      knativeImage('queue', '1310917822086a5d8daa6328f6014001d5ea7ccfb0afc1a4e74b1b6a2eadc5ba'),
      knativeImage('webhook', 'deb7f4ff25b854c6a1f58c2435fe0799731eba974d50dd012b534b6daf8eebf3'),
    ],
  },
  traefik: {
    ...inClients('github.com/traefik/traefik/v3'),
    commands: ['github.com/traefik/traefik/v3/cmd/traefik'],
    instead: {
      'github.com/go-acme/lego/v4:providers/dns': './no-acme-dns',
      'github.com/traefik/traefik/v3:pkg/provider/ecs': './no-ecs',
    },
    ldflags: '-X github.com/traefik/traefik/v3/pkg/version.Version=3.6.7',
    published: [
      published('traefik:v3.6.7', 'a9890c898f379c1905ee5b28342f6b408dc863f08db2dab20e46c267d1ff463a', {
        traefik: '/usr/local/bin/traefik',
      }),
    ],
  },
  kaniko: {
    module: 'github.com/GoogleContainerTools/kaniko',
    version: '1.23.2',
    commands: ['github.com/GoogleContainerTools/kaniko/cmd/executor'],
    published: [
      published(
        'gcr.io/kaniko-project/executor:v1.23.2',
        '9e69fd4330ec887829c780f5126dd80edc663df6def362cd22e79bcdf00ac53f',
        { executor: '/kaniko/executor' },
      ),
    ],
  },
  'chaos-mesh': {
    ...inClients('github.com/chaos-mesh/chaos-mesh'),
    commands: ['chaos-controller-manager', 'chaos-daemon', 'chaos-daemon-helper'].map(
      (name) => `github.com/chaos-mesh/chaos-mesh/cmd/${name}`,
    ),
    rename: { 'chaos-daemon-helper': 'cdh' },
    keep: ['github.com/chaos-mesh/chaos-mesh:helm/chaos-mesh'],
    // Not from published images: no release has this commit, and with another the chart and the kinds would be others as well.
    // The daemon's ptrace and its client of a kernel module.
    cgo: true,
  },
  // Only renders Chaos Mesh's chart.
  helm: { ...inClients('helm.sh/helm/v3'), commands: ['./render-chart'] },
} satisfies Record<string, GoSource>;

/** What the platform stands on beside Debian's packages. */
export const SERVICES = {
  versitygw: {
    module: 'github.com/versity/versitygw',
    version: '1.8.0',
    commands: ['github.com/versity/versitygw/cmd/versitygw'],
    published: [
      published(
        'versity/versitygw:v1.8.0',
        '30292fc2eeacc67a36993b01f7a7a5e3361a19cced0e80c1d71cfa2a4b0a2499',
        {
          versitygw: '/usr/local/bin/versitygw',
        },
      ),
    ],
  },
  'kube-state-metrics': {
    ...inClients('k8s.io/kube-state-metrics/v2'),
    commands: ['k8s.io/kube-state-metrics/v2'],
    published: [
      published(
        'registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.18.0',
        '1545919b72e3ae035454fc054131e8d0f14b42ef6fc5b2ad5c751cafa6b2130e',
        { 'kube-state-metrics': '/kube-state-metrics' },
      ),
    ],
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
