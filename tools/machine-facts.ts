import { statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { exec } from './exec.ts';
import { findTool } from './find.ts';
import type { Machine } from './machine.ts';
import { findGo } from './plan-install.ts';

/** Something about the machine that decides what can be run on it. */
export interface MachineFact {
  name: string;
  value: string;
  /** False is a warning: some scenario will not run, or not well. */
  ok: boolean;
}

const GIB = 1024 ** 3;
const DISK_MINIMUM = 2 * GIB;
const MEMORY_MINIMUM = 4 * GIB;

/** Node, user, nftables, disk, memory, cores and Go of this machine. */
export async function machineFacts(machine: Machine): Promise<MachineFact[]> {
  const [nft, go] = await Promise.all([nftFact(machine), findGo(machine)]);
  const disk = statfsSync(process.cwd());
  const free = disk.bavail * disk.bsize;
  const cores = availableParallelism();
  return [
    { name: 'node', value: process.version, ok: Number(process.versions.node.split('.')[0]) >= 24 },
    {
      name: 'root',
      value: machine.uid === 0 ? 'yes' : 'no: packages cannot be installed',
      ok: machine.uid === 0,
    },
    nft,
    { name: 'free disk', value: `${(free / GIB).toFixed(1)} GiB here`, ok: free >= DISK_MINIMUM },
    { name: 'memory', value: `${(totalmem() / GIB).toFixed(1)} GiB`, ok: totalmem() >= MEMORY_MINIMUM },
    { name: 'cores', value: String(cores), ok: cores >= 2 },
    { name: 'go', value: go ? `${go.version} (${go.path})` : 'none: only needed to build tools', ok: true },
  ];
}

/** Tries a change in nft's check mode: it goes through the kernel as a real one would, and changes nothing. */
async function nftFact(machine: Machine): Promise<MachineFact> {
  const name = 'nftables';
  const { tool } = await findTool('nft', machine);
  if (!tool) return { name, value: 'no nft: packets cannot be dropped', ok: false };
  const args = ['-c', 'add table inet faultline_doctor'];
  const { code, output } = await exec(tool.path, args, { env: machine.env, timeoutMs: 10_000 });
  if (code === 0) return { name, value: 'usable', ok: true };
  return { name, value: `not usable: ${output.trim().split('\n')[0] ?? ''}`, ok: false };
}
