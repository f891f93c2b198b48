/** Which queueing disciplines the nodes' kernel has, of those that faults of the network need: tried, since a module may be built in. */
import { exec } from '../../tools/exec.ts';
import type { Place } from './place.ts';

const TRIES = {
  netem: ['netem', 'delay', '1ms'],
  tbf: ['tbf', 'rate', '1mbit', 'burst', '32kbit', 'latency', '400ms'],
};

/** In a network namespace that goes with the command. Empty when the engine does not answer. */
export async function shapers({ nodes, engine, shapers }: Place): Promise<string[]> {
  if (shapers !== undefined || engine === undefined) return shapers ?? [];
  const node = nodes[0]?.name ?? '';
  const env = { ...process.env, ...(engine.host ? { DOCKER_HOST: engine.host } : {}) };
  const has = async (discipline: string[]) => {
    const add = ['unshare', '--net', 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', ...discipline];
    return (await exec('docker', ['exec', node, ...add], { env, timeoutMs: 10_000 })).code === 0;
  };
  const found = await Promise.all(
    Object.entries(TRIES).map(async ([name, by]) => ((await has(by)) ? [name] : [])),
  );
  return found.flat();
}
