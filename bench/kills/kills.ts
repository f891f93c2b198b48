/** What the two benchmarks of SIGKILL have in common: how many, when, and whether the bound was held. */
/** @param args of the command line: kills, seed; ends the process with 64 when they are not that @param kills default */
export function killsOf(args: readonly string[], kills: number): { kills: number; random: () => number } {
  const [count, seed] = [args[0] ?? kills, args[1] ?? 1].map(Number) as [number, number];
  if (!isCount(count) || !isCount(seed)) {
    console.error(`expected a number of kills, and a seed of 1 or more: got ${args.join(' ')}`);
    process.exit(64);
  }
  return { kills: count, random: lehmer(seed) };
}

const isCount = (number: number) => Number.isInteger(number) && number > 0;

/** Lehmer's generator, from 0 to 1: the same instants again with the same seed. */
function lehmer(seed: number): () => number {
  return () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
}

export interface Kill {
  /** How much there was that had to go. */
  there: number;
  /** How long until nothing of it was left, milliseconds. */
  ms: number;
}

/** A kill that met nothing shows nothing; chance makes a few of them such, not most. */
export function judgeKills(kills: readonly Kill[], boundMs: number): { held: boolean; said: string } {
  const times = kills.map(({ ms }) => ms).sort((a, b) => a - b);
  const worst = times.at(-1) ?? Number.POSITIVE_INFINITY;
  const median = times[Math.floor(times.length / 2)] ?? Number.POSITIVE_INFINITY;
  const atStake = kills.filter(({ there }) => there > 0).length;
  const held = worst <= boundMs && atStake > kills.length / 2;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  return {
    held,
    said: `${kills.length} kills: median ${seconds(median)}, worst ${seconds(worst)}, bound ${boundMs / 1000} s; ${atStake} of them met something: ${held ? 'held' : 'NOT HELD'}`,
  };
}
