/** What `faultline doctor --target kind` looks at. */
import { existsSync, statfsSync } from 'node:fs';
import { homedir, totalmem } from 'node:os';
import { type Diagnostic, RefusedError } from '../../base/errors.ts';
import { findEngine } from '../../kind/engine.ts';
import { ADD_ONS, PINS, SERVICES } from '../../kind/pins.ts';
import { platformTag } from '../../kind/platform-image.ts';
import { areCached } from '../../kind/published.ts';
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
/** Measured: modules 4.9 GiB, compiled packages of all but Kubernetes 2.8, the programs 1.5. */
const BUILD_GIB = 12;
const GIB = 2 ** 30;

export async function clusterFacts(): Promise<ClusterFact[]> {
  return [
    ...[await engine(), await cluster(), parts(), memory(), ...disks()],
    ...[cgroup(), await cutting(), await shaping()],
  ];
}

async function engine(): Promise<ClusterFact> {
  try {
    const { host } = await findEngine();
    return { name: 'container engine', ok: true, value: host ?? 'the one that was here' };
  } catch (error) {
    const { message } =
      error instanceof RefusedError ? (error.diagnostics[0] as Diagnostic) : (error as Error);
    const [value = message] = message.split('\n');
    return { name: 'container engine', ok: false, value };
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

const PARTS = Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES });
/** What `make cluster` would have to pull or to build first. */
const missingParts = () => PARTS.filter(([name, source]) => !areCached(name, source)).map(([name]) => name);

function parts(): ClusterFact {
  const missing = missingParts();
  return {
    name: 'parts of a cluster',
    ok: true,
    value:
      missing.length === 0
        ? `all ${PARTS.length} are in the cache`
        : `${PARTS.length - missing.length} of ${PARTS.length} in the cache; to be pulled, or built where they can not be: ${missing.join(', ')}`,
  };
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

function disks(): ClusterFact[] {
  return [
    disk('/var/lib', DISK_GIB, 'disk'),
    // Where Go keeps modules and what it has compiled.
    ...(missingParts().length === 0 ? [] : [disk(homedir(), BUILD_GIB, 'disk to build from source')]),
  ];
}

function disk(path: string, needed: number, name: string): ClusterFact {
  const { bavail, bsize } = statfsSync(path);
  const gib = (bavail * bsize) / GIB;
  return { name, ok: gib >= needed, value: `${gib.toFixed(0)} GiB free in ${path}, ${needed} needed` };
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
