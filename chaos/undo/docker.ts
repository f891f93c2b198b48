/** The container engine, as an undo needs it: each command to its end, within a time. */
import { execFileSync } from 'node:child_process';

export interface NodeContainer {
  /** Value of DOCKER_HOST; absent: docker's own default. */
  engine?: string | undefined;
  /** Its name. */
  container: string;
}

const WITHIN_MS = 15_000;

/** @throws Error with the engine's words */
export function docker({ engine }: NodeContainer, args: string[]): string {
  const env = { ...process.env, ...(engine ? { DOCKER_HOST: engine } : {}) };
  return execFileSync('docker', args, {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env, timeout: WITHIN_MS },
  });
}

/** @returns running, paused, exited …; empty: there is none of that name */
export function stateOf(node: NodeContainer): string {
  const only = ['--filter', `name=^${node.container}$`, '--format', '{{.State}}'];
  return docker(node, ['ps', '--all', ...only]).trim();
}
