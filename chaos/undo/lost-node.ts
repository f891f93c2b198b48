/**
 * A node of kind, as if its power had gone: its processes stand still, and no packet gets in or out. Standing still alone is not
 * enough: the kernel goes on opening connections for processes that never answer them, which no lost machine does.
 */
import { docker, type NodeContainer, stateOf } from './docker.ts';

const TABLE = 'faultline_lost';
const CUT = `table inet ${TABLE} {
  chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }
  chain out { type filter hook postrouting priority 400; oifname "eth0" drop; }
}`;

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
