/** Target `local`: the reference platform as processes on this host, with the real services around it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../base/ports.ts';
import { processCpuSeconds } from '../../base/process-cpu.ts';
import type { Address } from '../../chaos/drivers.ts';
import type { Abilities, Impact } from '../../chaos/fault.ts';
import { probeSilence } from '../../chaos/silence-probe.ts';
import { throttleClient } from '../../chaos/throttle/client.ts';
import { resolveTool } from '../../tools/resolve.ts';
import { commandFront } from '../command-front.ts';
import { DEFECTS } from '../defects.ts';
import { componentJob } from '../monitoring.ts';
import { objectDriver } from '../object-store.ts';
import { type ComponentSpec, Supervisor } from '../supervisor.ts';
import type { RunningTarget, Target, TargetRequest } from '../target.ts';
import { throttleProxy } from '../throttle.ts';
import { blackholeImpossible, nftNetwork } from './network.ts';
import { PodCounter } from './pods.ts';
import {
  alertmanager,
  brokerUrl,
  OBJECT_STORE,
  objectStore,
  prometheus,
  rabbitmq,
  registry,
} from './services.ts';

const PLATFORM = ['receiver', 'builder', 'gateway', 'operator'] as const;
const TOOLS = ['rabbitmq-server', 'prometheus', 'alertmanager', 'registry', 'versitygw'] as const;
const BLACKHOLES = ['rabbitmq', 'registry'];

/** Jobs at once: the guide's 50 are for a cluster; on one small host every job is a process. */
const LOCAL_JOB_LIMIT = 4;
/** Idle time to zero: stable window 60 s + grace 30 s (PLATFORM.md, "Life of a function"); the autoscaler ticks each 2 s. */
const IDLE_MS = 90_000;
const AUTOSCALER_TICK_MS = 2000;
const UP_WITHIN_MS = 60_000;

export const localTarget: Target = {
  name: 'local',
  defects: DEFECTS,

  async abilities(): Promise<Abilities> {
    const impossible = await blackholeImpossible();
    return {
      target: 'local',
      components: [...PLATFORM, 'rabbitmq', 'registry'],
      infrastructure: [],
      pausable: [...PLATFORM, 'rabbitmq', 'registry'],
      blackhole: impossible === undefined ? BLACKHOLES : { impossible },
      throttle: true,
      objectStore: true,
    };
  },

  async versions() {
    const found = TOOLS.map(async (name) => [name, (await resolveTool(name)).version] as const);
    return Object.fromEntries(await Promise.all(found));
  },

  detail: async () => ({}),
  patience: { functionsMs: 60_000, functionsAtOnce: 50, quietMs: 20_000 },
  hostAddress: async () => '127.0.0.1',

  async up(request: TargetRequest): Promise<RunningTarget> {
    const directory = (name: string) => join(request.workDirectory, name);
    const tools = Object.fromEntries(
      await Promise.all(TOOLS.map(async (name) => [name, (await resolveTool(name)).path] as const)),
    ) as Record<(typeof TOOLS)[number], string>;

    const [
      amqp,
      harness,
      rabbitMetrics,
      management,
      epmd,
      distribution,
      prom,
      am,
      reg,
      throttle,
      throttleControl,
      s3,
      receiver,
      builder,
      gateway,
      operator,
    ] = await freePorts(16);
    const platformPorts: Record<(typeof PLATFORM)[number], number> = { receiver, builder, gateway, operator };
    const registryUrl = `http://127.0.0.1:${throttle}`;

    const supervisor = new Supervisor(request);
    const specs: ComponentSpec[] = [
      rabbitmq(
        tools['rabbitmq-server'],
        directory('rabbitmq'),
        { amqp, harness, metrics: rabbitMetrics, management, epmd, distribution },
        Math.max(200, request.scrapeMs),
      ),
      registry(tools.registry, directory('registry'), reg),
      objectStore(tools.versitygw, directory('objectstore'), s3),
      alertmanager(tools.alertmanager, directory('alertmanager'), am, request),
      throttleProxy({
        host: '127.0.0.1',
        port: throttle,
        control: throttleControl,
        upstream: `127.0.0.1:${reg}`,
      }),
      ...PLATFORM.map((name) =>
        platformComponent(name, platformPorts, { amqp, registryUrl, s3, directory, request }),
      ),
      prometheus(tools.prometheus, directory('prometheus'), prom, {
        ...request,
        alertmanagerPort: am,
        targets: [
          ...PLATFORM.map((name) => ({
            job: componentJob(name),
            address: `127.0.0.1:${platformPorts[name]}`,
            path: '/metrics',
          })),
          { job: 'rabbitmq', address: `127.0.0.1:${rabbitMetrics}`, path: '/metrics/per-object' },
        ],
      }),
    ];
    for (const spec of specs) supervisor.start(spec);
    try {
      await supervisor.ready(UP_WITHIN_MS, request.signal);
    } catch (error) {
      // Or it would go on to restart what the undo kills.
      await supervisor.stopAll(500);
      throw error;
    }

    const addresses = new Map<string, Address>([
      ['rabbitmq', { host: '127.0.0.1', port: amqp }],
      ['registry', { host: '127.0.0.1', port: reg }],
    ]);
    const pods = new PodCounter(request.runId);
    const spokenTo = {
      receiver: `http://127.0.0.1:${receiver}`,
      gateway: `http://127.0.0.1:${gateway}`,
      operator: `http://127.0.0.1:${operator}`,
      broker: brokerUrl(harness),
    };
    return {
      endpoints: {
        ...spokenTo,
        prometheus: `http://127.0.0.1:${prom}`,
        alertmanager: `http://127.0.0.1:${am}`,
        registry: `http://127.0.0.1:${reg}`,
      },
      components: Object.fromEntries(specs.map((s) => [s.name, new URL(s.readyUrl).host])),
      drivers: {
        components: {
          names: () => supervisor.names(),
          impact: async (name) => impactOf(name),
          rehearse: async () => {},
          // The run's supervisor holds it; when the run dies, its processes go with it, and nothing is held any more.
          undoOf: () => [],
          async hold(name) {
            await supervisor.hold(name);
            return `SIGKILL to ${name}, restart withheld`;
          },
          release: (name) => supervisor.release(name),
          pause: async (name) => supervisor.signal(name, 'SIGSTOP'),
          resume: async (name) => supervisor.signal(name, 'SIGCONT'),
          probe: (name) => probeSilence(supervisor.get(name).readyUrl),
        },
        network: nftNetwork(request.runId, addresses, impactOf),
        throttle: throttleClient(`http://127.0.0.1:${throttleControl}/`, registryUrl),
        objects: objectDriver({ endpoint: `http://127.0.0.1:${s3}`, ...OBJECT_STORE }),
      },
      ownNamespaces: [],
      front: commandFront(spokenTo, 'classic'),
      pods: () => pods.count(),
      readyPods: () => pods.count(),
      harnessCpuSeconds: () => processCpuSeconds(supervisor.pid('registry-throttle')),
      down: () => supervisor.stopAll(1500),
    };
  },
};

/** A component is one process here. */
function impactOf(name: string): Impact {
  return { pods: [{ name }], nodes: [], workloads: [{ name, hit: 1, of: 1 }] };
}

function platformComponent(
  name: (typeof PLATFORM)[number],
  ports: Record<(typeof PLATFORM)[number], number>,
  {
    amqp,
    registryUrl,
    s3,
    directory,
    request,
  }: {
    amqp: number;
    registryUrl: string;
    s3: number;
    directory(name: string): string;
    request: TargetRequest;
  },
): ComponentSpec {
  const scaled = (ms: number) => String(Math.round(ms / request.timeScale));
  const own: Record<string, Record<string, string>> = {
    receiver: {},
    builder: {
      JOB_LIMIT: String(LOCAL_JOB_LIMIT),
      REGISTRY_URL: registryUrl,
      S3_ENDPOINT: `http://127.0.0.1:${s3}`,
      S3_ACCESS_KEY: OBJECT_STORE.access,
      S3_SECRET_KEY: OBJECT_STORE.secret,
      S3_BUCKET: OBJECT_STORE.bucket,
      BACKOFF_BASE_MS: '200',
      // Its waits are a fifth of production's and the throttle's rate is production's: with 5 tries, one build in a thousand had no luck.
      BUILD_MAX_ATTEMPTS: '8',
      BACKOFF_MAX_MS: '5000',
      // A defect that no run could notice would be none: it outlasts the longest recovery that the scenario allows.
      SLOW_RECOVERY_MS: String(Math.round(request.longestRecoveryMs * 1.5 + 5000)),
    },
    gateway: {
      REGISTRY_URL: registryUrl,
      OPERATOR_URL: `http://127.0.0.1:${ports.operator}`,
      IDLE_MS: scaled(IDLE_MS),
      SCALE_INTERVAL_MS: String(Math.max(100, Math.round(AUTOSCALER_TICK_MS / request.timeScale))),
      WORK_DIR: directory('gateway'),
    },
    operator: {
      REGISTRY_URL: registryUrl,
      GATEWAY_URL: `http://127.0.0.1:${ports.gateway}`,
      STATE_FILE: directory('operator-state.json'),
    },
  };
  return {
    name,
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../platform/${name}/main.ts`, import.meta.url))],
    env: {
      PORT: String(ports[name]),
      HOST: '127.0.0.1',
      AMQP_URL: brokerUrl(amqp),
      DEFECTS: request.defects.join(','),
      OTEL_EXPORTER_OTLP_ENDPOINT: request.spans ?? '',
      ...own[name],
    },
    readyUrl: `http://127.0.0.1:${ports[name]}/readyz`,
    restart: 'always',
    blame: 'evidence',
  };
}
