/** Configuration files and command lines of the real services that the local target runs: RabbitMQ, Prometheus, Alertmanager, registry, object store. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  alertmanagerConfig,
  type MonitoringTimes,
  prometheusConfig,
  prometheusFlags,
  type ScrapeTarget,
} from '../monitoring.ts';
import type { ComponentSpec } from '../supervisor.ts';

export interface RabbitPorts {
  /** Where the platform connects; the partition fault drops its packets. */
  amqp: number;
  /** Where the harness connects. */
  harness: number;
  metrics: number;
  management: number;
  epmd: number;
  distribution: number;
}

const BROKER_USER = 'guest';

export function brokerUrl(port: number): string {
  return `amqp://${BROKER_USER}:${BROKER_USER}@127.0.0.1:${port}`;
}

export function rabbitmq(
  command: string,
  directory: string,
  ports: RabbitPorts,
  statisticsMs: number,
): ComponentSpec {
  mkdirSync(directory, { recursive: true });
  const config = join(directory, 'rabbitmq.conf');
  const plugins = join(directory, 'enabled_plugins');
  writeFileSync(plugins, '[rabbitmq_management,rabbitmq_prometheus].\n');
  writeFileSync(
    config,
    `listeners.tcp.platform = 127.0.0.1:${ports.amqp}
listeners.tcp.harness = 127.0.0.1:${ports.harness}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${ports.management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = ${ports.metrics}
collect_statistics_interval = ${Math.round(statisticsMs)}
heartbeat = 5
log.console = true
log.console.level = warning
log.file = false
`,
  );
  return {
    name: 'rabbitmq',
    command,
    args: [],
    env: {
      HOME: directory,
      RABBITMQ_NODENAME: `faultline-${ports.amqp}@localhost`,
      RABBITMQ_CONFIG_FILE: config,
      RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
      RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
      RABBITMQ_LOG_BASE: join(directory, 'log'),
      RABBITMQ_PID_FILE: join(directory, 'pid'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_DIST_PORT: String(ports.distribution),
      ERL_EPMD_PORT: String(ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      // Two cores are shared with everything else: Erlang's schedulers must not spin while they wait.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
    },
    readyUrl: `http://127.0.0.1:${ports.metrics}/metrics`,
    restart: 'always',
    blame: 'evidence',
    throwaway: true,
  };
}

export function prometheus(
  command: string,
  directory: string,
  port: number,
  options: MonitoringTimes & { rules: string; alertmanagerPort: number; targets: ScrapeTarget[] },
): ComponentSpec {
  mkdirSync(directory, { recursive: true });
  const rules = join(directory, 'rules.yml');
  const config = join(directory, 'prometheus.yml');
  writeFileSync(rules, options.rules);
  writeFileSync(
    config,
    prometheusConfig({ ...options, rules, alertmanager: `127.0.0.1:${options.alertmanagerPort}` }),
  );
  return {
    name: 'prometheus',
    command,
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...prometheusFlags(options),
    ],
    env: {},
    readyUrl: `http://127.0.0.1:${port}/-/ready`,
    restart: 'never',
    blame: 'evidence',
  };
}

export function alertmanager(
  command: string,
  directory: string,
  port: number,
  options: { webhookUrl: string; timeScale: number },
): ComponentSpec {
  mkdirSync(directory, { recursive: true });
  const config = join(directory, 'alertmanager.yml');
  writeFileSync(config, alertmanagerConfig(options.webhookUrl, options.timeScale));
  return {
    name: 'alertmanager',
    command,
    args: [
      `--config.file=${config}`,
      `--storage.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    env: {},
    readyUrl: `http://127.0.0.1:${port}/-/ready`,
    restart: 'never',
    blame: 'evidence',
  };
}

export function registry(command: string, directory: string, port: number): ComponentSpec {
  mkdirSync(directory, { recursive: true });
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: '${join(directory, 'data')}' } }
http: { addr: '127.0.0.1:${port}' }
`,
  );
  return {
    name: 'registry',
    command,
    args: ['serve', config],
    env: {},
    readyUrl: `http://127.0.0.1:${port}/v2/`,
    restart: 'always',
    blame: 'harness',
  };
}

export const OBJECT_STORE = {
  access: 'faultline',
  secret: 'faultline-local-only',
  bucket: 'lambda-functions',
};

export function objectStore(command: string, directory: string, port: number): ComponentSpec {
  mkdirSync(join(directory, OBJECT_STORE.bucket), { recursive: true });
  return {
    name: 'objectstore',
    command,
    args: [
      '--port',
      `127.0.0.1:${port}`,
      '--access',
      OBJECT_STORE.access,
      '--secret',
      OBJECT_STORE.secret,
      '--health',
      '/healthz',
      '--quiet',
      'posix',
      '--nometa',
      directory,
    ],
    env: {},
    readyUrl: `http://127.0.0.1:${port}/healthz`,
    restart: 'always',
    blame: 'harness',
  };
}
