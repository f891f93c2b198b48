/** What `faultline doctor --target kind` looks at. */
import { existsSync, statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { findEngine } from '../../kind/engine.ts';
import { platformTag } from '../../kind/platform-image.ts';
import { REGISTRY } from '../../kind/registry.ts';
import { type ClusterState, readClusterState } from '../../kind/state.ts';
import { kindPlace } from './place.ts';
import { hasIpset, shapers } from './shapers.ts';

export interface ClusterFact {
  name: string;
  /** false: target `kind` can not be used like this. */
  ok: boolean;
  value: string;
}

/** All of a cluster and a run on it, measured: 3.3 GiB in use; images, their layers and the registry 9 GiB. */
const MEMORY_GIB = 6;
const DISK_GIB = 15;
const GIB = 2 ** 30;

export async function clusterFacts(): Promise<ClusterFact[]> {
  return [await engine(), await cluster(), memory(), disk(), cgroup(), await cutting(), await shaping()];
}

async function engine(): Promise<ClusterFact> {
  try {
    const { host } = await findEngine();
    return { name: 'container engine', ok: true, value: host ?? 'the one that was here' };
  } catch {
    return { name: 'container engine', ok: false, value: 'none answers: run `make engine`' };
  }
}

async function cluster(): Promise<ClusterFact> {
  try {
    const state = readClusterState();
    const stale = state.platformTag !== platformTag();
    return {
      name: 'cluster',
      ok: !stale,
      value: stale
        ? "has another state of the platform's code: run `make cluster`"
        : `${state.nodes.length} nodes; of its parts ${originsOf(state)}; its registry ${REGISTRY} is ${state.registry} for this host`,
    };
  } catch {
    return { name: 'cluster', ok: false, value: 'there is none: run `make cluster`' };
  }
}

/** How many of them come from where: kind/published.ts. */
function originsOf({ provenance }: ClusterState): string {
  const counts = new Map<string, number>();
  for (const from of Object.values(provenance)) {
    const way = from.startsWith('Debian') ? 'Debian packages' : from.split(' ', 2).join(' ');
    counts.set(way, (counts.get(way) ?? 0) + 1);
  }
  return [...counts].map(([way, count]) => `${count} ${way}`).join(', ');
}

async function cutting(): Promise<ClusterFact> {
  const name = 'ipset';
  let has: boolean | undefined;
  try {
    has = await hasIpset(kindPlace());
  } catch {}
  if (has === undefined) return { name, ok: true, value: 'not known before there is a cluster' };
  return {
    name,
    ok: has,
    value: has ? 'yes' : 'not in this kernel: networks can not be cut (modprobe ip_set)',
  };
}

function memory(): ClusterFact {
  const gib = totalmem() / GIB;
  return { name: 'memory', ok: gib >= MEMORY_GIB, value: `${gib.toFixed(1)} GiB, ${MEMORY_GIB} needed` };
}

function disk(): ClusterFact {
  const { bavail, bsize } = statfsSync('/var/lib');
  const gib = (bavail * bsize) / GIB;
  return {
    name: 'disk',
    ok: gib >= DISK_GIB,
    value: `${gib.toFixed(0)} GiB free in /var/lib, ${DISK_GIB} needed`,
  };
}

function cgroup(): ClusterFact {
  const two = existsSync('/sys/fs/cgroup/cgroup.controllers');
  return { name: 'cgroup', ok: true, value: two ? 'v2' : 'v1, which the kubelet is told to accept' };
}

async function shaping(): Promise<ClusterFact> {
  const name = 'queueing disciplines';
  try {
    const has = await shapers(kindPlace());
    const without = [
      ...(has.includes('netem') ? [] : ['no netem, so no delay and no loss']),
      ...(has.includes('tbf') ? [] : ['no tbf, so no bandwidth limit']),
    ];
    return { name, ok: true, value: without.join('; ') || has.join(', ') };
  } catch {
    return { name, ok: true, value: 'not known before there is a cluster; partitions need none' };
  }
}
