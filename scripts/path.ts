import { delimiter, dirname } from 'node:path';
import { type Machine, pathDirectories } from '../tools/machine.ts';
import { findGo } from '../tools/plan-install.ts';

/** sudo and cron leave out where debootstrap, dockerd and iptables are. */
const SYSTEM = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** PATH with what the user's own may lack at its end: Go where its installer puts it, and the system's programs. */
export async function wholePath(machine: Machine): Promise<string> {
  const go = await findGo(machine);
  const there = pathDirectories(machine);
  const wanted = [...(go ? [dirname(go.path)] : []), ...SYSTEM.map((directory) => machine.root + directory)];
  return [machine.env.PATH, ...wanted.filter((directory) => !there.includes(directory))]
    .filter(Boolean)
    .join(delimiter);
}
