/** What every component's main does: configuration, logs, HTTP server, signals, an orderly end. */
import type { Server } from 'node:http';
import type { Registry } from 'prom-client';
import { type Component, type Config, ConfigError, loadConfig } from '../config.ts';
import { listen, type Route } from './http.ts';
import { createLogger, type Logger, messageOf } from './log.ts';
import { startSpans } from './spans.ts';

/** A graceful shutdown takes at most this long; then the process ends anyway. */
const SHUTDOWN_MS = 2800;

export interface Running {
  registry: Registry;
  ready: () => boolean;
  route: Route;
  /** Stops taking work, finishes or requeues what there is, closes. */
  stop: () => Promise<void>;
}

export type Start<C extends Component> = (config: Config<C>, log: Logger) => Promise<Running>;

/** Runs a component until SIGTERM or SIGINT. Exit codes: 0 after a signal, 78 on a bad environment, 1 otherwise. */
export async function runComponent<C extends Component>(name: C, start: Start<C>): Promise<void> {
  let config: Config<C>;
  try {
    config = loadConfig(name, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    createLogger(name, 'info').error(error.message);
    process.exitCode = 78;
    return;
  }
  const log = createLogger(name, config.LOG_LEVEL);
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error: messageOf(error) }));
  // A reader of stdout that went away must not end the component.
  process.stdout.on('error', () => {});
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector } = config;
  const lastSpans = collector === undefined ? async () => {} : startSpans(collector, name);
  let running: Running;
  let server: Server;
  try {
    running = await start(config, log);
    const listening = await listen({
      port: config.PORT,
      host: config.HOST,
      registry: running.registry,
      ready: running.ready,
      route: running.route,
      onError: (error) => log.error('request failed', { error: messageOf(error) }),
    });
    server = listening.server;
    log.info('listening', {
      host: config.HOST,
      port: listening.port,
      pid: process.pid,
      defects: [...config.DEFECTS],
    });
  } catch (error) {
    log.error('cannot start', { error: messageOf(error) });
    process.exit(1);
  }
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal });
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref();
    server.close();
    server.closeIdleConnections();
    running
      .stop()
      .catch((error: unknown) => log.error('unclean stop', { error: messageOf(error) }))
      .then(lastSpans)
      .finally(() => {
        log.info('stopped');
        process.exit(0);
      });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
