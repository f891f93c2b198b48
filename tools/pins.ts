/**
 * The one table of external tools that Faultline uses and that are not npm packages: what each is called, how to ask
 * its version, the least version that will do, and the ways to install it, in the order in which they are tried.
 *
 * The ways: the system's package manager (Debian packages), the Go module proxy, a published release with its checksum.
 */

export const TOOL_NAMES = [
  'k6',
  'versitygw',
  'rabbitmq-server',
  'prometheus',
  'promtool',
  'alertmanager',
  'amtool',
  'registry',
  'nft',
  'chromium',
] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

/** One way to ask a tool for its version; the ways are tried in order until one answers. */
export type VersionQuery =
  /** Run a command; `{path}` in an argument stands for the tool's path. The first group of `pattern` is the version. */
  | {
      /** Another command than the tool itself: `sibling` stands in the tool's directory, `path` is looked up on PATH. */
      command?: { name: string; from: 'sibling' | 'path' };
      args: string[];
      pattern: RegExp;
    }
  /** Read it off the tool's path, links followed, which costs nothing where asking takes seconds. */
  | { realPath: RegExp };

export interface ToolPin {
  /** What Faultline uses it for. */
  use: string;
  /** `run`: every scenario; `test`: only the project's own tests; `optional`: nothing fails without it. */
  need: 'run' | 'test' | 'optional';
  /** Its names on PATH; the first that satisfies is taken. */
  commands: string[];
  /** Directories off PATH where packages put it. */
  directories?: string[];
  version: VersionQuery[];
  /** What these ask, for the message about one that does not tell it; by default, its version. */
  tells?: string;
  /** The least version that will do, digits and dots. */
  minimum: string;
  /** Debian package that has it. */
  apt?: string;
  go?: GoPin;
  release?: ReleasePin;
}

/** A command that `go install` builds from the Go module proxy. */
export interface GoPin {
  /** Import path of the command. */
  package: string;
  /** A module of this project, relative to its root, that builds the command with something of ours in it. */
  module?: string;
  /** Name of the binary that `go install` leaves. */
  binary: string;
  /** Version to build, without the `v`. */
  version: string;
  ldflags?: string;
}

/** A command in an archive that the tool's own project publishes. */
export interface ReleasePin {
  /** Without the `v`. */
  version: string;
  /** By platform, as Node names it: `linux-x64`, `linux-arm64`. */
  archives: Record<string, ReleaseArchive>;
  /** Path of the command in the archive, without its first directory. */
  file: string;
}

export interface ReleaseArchive {
  /** A .tar.gz; its one directory has the archive's name. */
  url: string;
  /** Of the archive, as the project publishes it; taken over from two sources that do not know of each other. */
  sha256: string;
}

/** The archive for this machine, if the release has one. */
export function releaseArchive({ archives }: ReleasePin): ReleaseArchive | undefined {
  return archives[`${process.platform}-${process.arch}`];
}

function prometheusProject(
  name: string,
  version: string,
  sums: { amd64: string; arm64: string },
): Record<string, ReleaseArchive> {
  const archive = (go: 'amd64' | 'arm64') => ({
    url: `https://github.com/prometheus/${name}/releases/download/v${version}/${name}-${version}.linux-${go}.tar.gz`,
    sha256: sums[go],
  });
  return { 'linux-x64': archive('amd64'), 'linux-arm64': archive('arm64') };
}

// Sums: kolla/common/sources.py of OpenStack's Kolla, and polymathrobotics/oci, for Alertmanager; the latter and others for Prometheus.
const PROMETHEUS_RELEASE = {
  version: '2.54.1',
  archives: prometheusProject('prometheus', '2.54.1', {
    amd64: '31715ef65e8a898d0f97c8c08c03b6b9afe485ac84e1698bcfec90fc6e62924f',
    arm64: '3d9946ca730f2679bbd63e9d40e559a0ba227a638d237e723af1a99bd7098263',
  }),
};
const ALERTMANAGER_RELEASE = {
  version: '0.27.0',
  archives: prometheusProject('alertmanager', '0.27.0', {
    amd64: '23c3f5a3c73de91dbaec419f3c492bef636deb02680808e5d842e6553aa16074',
    arm64: 'a754304b682cec61f4bd5cfc029b451a30134554b3a2f21a9c487e12814ff8f3',
  }),
};

/** What to type for a build. */
export function goInstallCommand({ package: path, module, version }: GoPin): string {
  return `go install ${module === undefined ? `${path}@v${version}` : `-C ${module} .`}`;
}

/** The Go that the builds need. An older one than a module asks for fetches its own newer toolchain from the proxy. */
export const GO_MINIMUM = '1.24';

const PROMETHEUS_STYLE = /version (\d+(?:\.\d+)+)/;

export const PINS: Record<ToolName, ToolPin> = {
  k6: {
    use: 'the generator of the load',
    need: 'run',
    commands: ['k6'],
    // Stock k6 will not do: it does not list the output that writes the records.
    version: [{ args: ['version'], pattern: /k6(?:\.exe)? v(\d+(?:\.\d+)+).*\srecords5 \[output\]/s }],
    tells: 'its version and the output records5 of tools/k6',
    minimum: '1.8.1',
    go: { package: 'go.k6.io/k6', module: 'tools/k6', binary: 'k6', version: '1.8.1' },
  },
  versitygw: {
    use: 'the S3 object store from which the builder fetches sources',
    need: 'run',
    commands: ['versitygw'],
    version: [
      { args: ['--version'], pattern: /Version\s*:\s*v?(\d+(?:\.\d+)+)/ },
      // A plain `go install` leaves "Version : git": ask the build information of the binary instead.
      {
        command: { name: 'go', from: 'path' },
        args: ['version', '-m', '{path}'],
        pattern: /\bmod\s+github\.com\/versity\/versitygw\s+v(\d+(?:\.\d+)+)/,
      },
    ],
    minimum: '1.8.0',
    go: {
      package: 'github.com/versity/versitygw/cmd/versitygw',
      binary: 'versitygw',
      version: '1.8.0',
      ldflags: '-X main.Version=v1.8.0',
    },
  },
  'rabbitmq-server': {
    use: 'the broker of the platform under test',
    need: 'run',
    commands: ['rabbitmq-server'],
    directories: ['/usr/lib/rabbitmq/bin', '/usr/sbin'],
    version: [
      { realPath: /\/rabbitmq_server-(\d+(?:\.\d+)+)\// },
      {
        command: { name: 'rabbitmqctl', from: 'sibling' },
        args: ['version'],
        pattern: /^(\d+(?:\.\d+)+)/m,
      },
    ],
    minimum: '3.10',
    apt: 'rabbitmq-server',
  },
  prometheus: {
    use: 'the scraper of the platform, which evaluates the alert rules',
    need: 'run',
    commands: ['prometheus'],
    version: [{ args: ['--version'], pattern: PROMETHEUS_STYLE }],
    minimum: '2.42',
    apt: 'prometheus',
    release: { ...PROMETHEUS_RELEASE, file: 'prometheus' },
  },
  promtool: {
    use: 'the check of the alert rules before a run, and their tests',
    need: 'run',
    commands: ['promtool'],
    version: [{ args: ['--version'], pattern: PROMETHEUS_STYLE }],
    minimum: '2.42',
    apt: 'prometheus',
    release: { ...PROMETHEUS_RELEASE, file: 'promtool' },
  },
  alertmanager: {
    use: 'the delivery of the alerts',
    need: 'run',
    commands: ['alertmanager', 'prometheus-alertmanager'],
    version: [{ args: ['--version'], pattern: PROMETHEUS_STYLE }],
    minimum: '0.25',
    apt: 'prometheus-alertmanager',
    release: { ...ALERTMANAGER_RELEASE, file: 'alertmanager' },
  },
  amtool: {
    use: 'a look at Alertmanager by hand',
    need: 'optional',
    commands: ['amtool'],
    version: [{ args: ['--version'], pattern: PROMETHEUS_STYLE }],
    minimum: '0.25',
    apt: 'prometheus-alertmanager',
    release: { ...ALERTMANAGER_RELEASE, file: 'amtool' },
  },
  registry: {
    use: 'the OCI registry that takes the images',
    need: 'run',
    // The upstream name is so general that other programs have it: the version's pattern tells them apart.
    commands: ['docker-registry', 'registry'],
    version: [
      {
        args: ['--version'],
        pattern: /github\.com\/(?:docker|distribution)\/distribution\S* v?(\d+(?:\.\d+)+)/,
      },
    ],
    minimum: '2.8',
    apt: 'docker-registry',
  },
  nft: {
    use: 'network partitions, where packets vanish',
    need: 'run',
    commands: ['nft'],
    directories: ['/usr/sbin', '/sbin'],
    version: [{ args: ['--version'], pattern: /nftables v(\d+(?:\.\d+)+)/ }],
    minimum: '1.0',
    apt: 'nftables',
  },
  chromium: {
    use: 'the screenshots of the report in the tests',
    need: 'test',
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    version: [{ args: ['--version'], pattern: /(?:Chromium|Chrome) (\d+(?:\.\d+)+)/ }],
    minimum: '110',
    apt: 'chromium',
  },
};

/** What must be there `for` a run, or for the project's own tests (which run scenarios as well). */
export function neededTools(purpose: 'run' | 'test'): ToolName[] {
  return TOOL_NAMES.filter((name) => {
    const need = PINS[name].need;
    return need === 'run' || (purpose === 'test' && need === 'test');
  });
}
