/** How much processor time one process of a node may have: the limit of its own cgroup, of either version. */
import { docker, type NodeContainer, stateOf } from './docker.ts';

export interface LimitedProcess extends NodeContainer {
  /** Name of the process, as the kernel has it. */
  process: string;
}

/** Linux's own period: a share is given in each of these. */
const PERIOD_US = 100_000;

/** Sets `f` to the file that has the limit of process $1, and `none` to what is in there without one; nothing without the process. */
const FIND = `pid=$(pgrep -o -x "$1") || exit 0
of() { sed -nE "s/^[0-9]+:($1):(.*)$/\\2/p" "/proc/$pid/cgroup"; }
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then f="/sys/fs/cgroup$(of '')/cpu.max" none="max ${PERIOD_US}"
else f="/sys/fs/cgroup/cpu$(of 'cpu|cpu,cpuacct|cpuacct,cpu')/cpu.cfs_quota_us" none=-1; fi
`;

/** @param share of one core @throws Error when there is no such process, or the engine's words */
export function limitProcess(limited: LimitedProcess, share: number): void {
  const quota = Math.max(1000, Math.round(share * PERIOD_US));
  const said = inNode(
    limited,
    `${FIND}case "$none" in -1) echo ${quota};; *) echo "${quota} ${PERIOD_US}";; esac > "$f" && echo done`,
  );
  if (!said.includes('done')) throw new Error(`${limited.container} has no process ${limited.process}`);
}

/** @throws Error with the engine's words */
export function unlimitProcess(limited: LimitedProcess): void {
  if (isLimited(limited)) inNode(limited, `${FIND}echo "$none" > "$f"`);
}

export function isLimited(limited: LimitedProcess): boolean {
  if (stateOf(limited) !== 'running') return false;
  return inNode(limited, `${FIND}[ "$(cat "$f")" = "$none" ] || echo limited`).includes('limited');
}

const inNode = (limited: LimitedProcess, script: string): string =>
  docker(limited, ['exec', limited.container, 'sh', '-c', script, 'sh', limited.process]);
