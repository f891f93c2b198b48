/**
 * A node of kind, as if its power had gone: its processes stand still, and no packet gets in or out. Standing still alone is not
 * enough: the kernel goes on opening connections for processes that never answer them, which no lost machine does.
 */
import { execFileSync } from 'node:child_process';

export interface NodeContainer {
  /** Value of DOCKER_HOST; absent: docker's own default. */
  engine?: string | undefined;
  container: string;
}

const TABLE = 'faultline_lost';
const CUT = `table inet ${TABLE} {
  chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }
  chain out { type filter hook postrouting priority 400; oifname "eth0" drop; }
}`;
const WITHIN_MS = 15_000;

/** @throws Error with the engine's words; what was done by then is undone with {@link reviveNode}. */
export function loseNode(node: NodeContainer): void {
  docker(node, ['exec', node.container, 'nft', CUT]);
  docker(node, ['pause', node.container]);
}

/** @throws Error with the engine's words */
export function reviveNode(node: NodeContainer): void {
  if (stateOf(node) === 'paused') docker(node, ['unpause', node.container]);
  if (isCut(node)) docker(node, ['exec', node.container, 'nft', 'delete', 'table', 'inet', TABLE]);
}

/** What {@link reviveNode} would still have to undo, for people; undefined: nothing. */
export function lostState(node: NodeContainer): string | undefined {
  if (stateOf(node) === 'paused') return 'frozen';
  return isCut(node) ? 'cut off' : undefined;
}

/** Only one that runs can be asked; one that was stopped has lost its rules. */
function isCut(node: NodeContainer): boolean {
  if (stateOf(node) !== 'running') return false;
  return docker(node, ['exec', node.container, 'nft', 'list', 'tables']).includes(`inet ${TABLE}\n`);
}

function stateOf(node: NodeContainer): string {
  const only = ['--filter', `name=^${node.container}$`, '--format', '{{.State}}'];
  return docker(node, ['ps', '--all', ...only]).trim();
}

function docker({ engine }: NodeContainer, args: string[]): string {
  const env = { ...process.env, ...(engine ? { DOCKER_HOST: engine } : {}) };
  return execFileSync('docker', args, {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env, timeout: WITHIN_MS },
  });
}
