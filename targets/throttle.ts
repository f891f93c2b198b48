/** The throttle in front of the registry: a process of the harness on this host, on every target that has its registry to itself. */
import { fileURLToPath } from 'node:url';
import type { ComponentSpec } from './supervisor.ts';

/** @param host address on which the platform reaches it @param upstream the registry, `host:port` */
export function throttleProxy(options: {
  host: string;
  port: number;
  control: number;
  upstream: string;
}): ComponentSpec {
  return {
    name: 'registry-throttle',
    command: process.execPath,
    args: [fileURLToPath(new URL('../chaos/throttle/proxy-process.ts', import.meta.url))],
    env: {
      LISTEN_HOST: options.host,
      LISTEN_PORT: String(options.port),
      CONTROL_PORT: String(options.control),
      UPSTREAM: options.upstream,
    },
    readyUrl: `http://127.0.0.1:${options.control}/`,
    restart: 'never',
    blame: 'harness',
  };
}
