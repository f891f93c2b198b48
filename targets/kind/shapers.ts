/** Which queueing disciplines the nodes' kernel has, of those that faults of the network need: tried, since a module may be built in. */
import { exec } from '../../tools/exec.ts';
import type { Place } from './place.ts';

const TRIES = {
  netem: ['netem', 'delay', '1ms'],
  tbf: ['tbf', 'rate', '1mbit', 'burst', '32kbit', 'latency', '400ms'],
};

/** Empty when the engine does not answer. */
export async function shapers(place: Place): Promise<string[]> {
  const { engine, shapers } = place;
  if (shapers !== undefined || engine === undefined) return shapers ?? [];
  const found = await Promise.all(
    Object.entries(TRIES).map(async ([name, discipline]) => {
      const add = ['tc', 'qdisc', 'add', 'dev', 'lo', 'root', ...discipline];
      return (await works(place, engine, add)) ? [name] : [];
    }),
  );
  return found.flat();
}

/** Chaos Mesh cuts networks by sets of addresses. Undefined: the nodes are no containers of this host. */
export async function hasIpset(place: Place): Promise<boolean | undefined> {
  const { engine } = place;
  return engine && works(place, engine, ['ipset', 'create', 'faultline', 'hash:net']);
}

/** Tries a command on the first node, in a network namespace that goes with it. */
async function works({ nodes }: Place, { host }: { host?: string }, command: string[]): Promise<boolean> {
  const env = { ...process.env, ...(host ? { DOCKER_HOST: host } : {}) };
  const args = ['exec', nodes[0]?.name ?? '', 'unshare', '--net', ...command];
  return (await exec('docker', args, { env, timeoutMs: 10_000 })).code === 0;
}
