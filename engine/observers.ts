/** What the harness counts itself while a run is going: pods, its own CPU, the generator's CPU, what others took of the machine's. */
import { stolenMeter } from '../base/host-cpu.ts';
import type { RunningTarget } from '../targets/target.ts';
import type { RunClock } from './clock.ts';
import { cpuMeter } from './cpu-meter.ts';
import type { Journal } from './journal.ts';

/** Often enough to time scale-to-zero and scale-up to a quarter of a second; a look at /proc costs about 3 ms. */
const PODS_EVERY_MS = 250;
const CPU_EVERY_MS = 2000;

export interface PodSample {
  /** Name of the series. `pods_unseen`: 1 from when on nobody could see the pods of any function, 0 from when on somebody did. */
  query: 'pods' | 'pods_ready' | 'pods_unseen';
  /** Milliseconds since the run's origin. */
  t: number;
  function?: string;
  /** The sample's value. */
  pods: number;
}

/** Disposed of, they look no more: what they would write after a crash may land in another run's journal. */
export interface Observers extends Disposable {
  pods: PodSample[];
  /** Ends the looking, with the last of what was seen. */
  stop(): void;
}

export function startObservers(options: {
  target: RunningTarget;
  clock: RunClock;
  journal: Journal;
  /** Processor time of the load generator, seconds; NaN while nobody can tell. */
  generatorCpu(): number;
  functions: string[];
}): Observers {
  const { target, clock, journal } = options;
  const pods: PodSample[] = [];
  const last = { pods: new Map<string, number>(), pods_ready: new Map<string, number>() };
  const unseen = { now: 0, since: Number.NEGATIVE_INFINITY };
  const lookWhoLooks = () => {
    const unseenMs = target.podsUnseenMs?.() ?? 0;
    const now = unseenMs > 0 ? 1 : 0;
    if (now === unseen.now) return;
    // The last word may have come just before it was noticed that somebody saw them again.
    unseen.since = Math.max(clock.now() - unseenMs, unseen.since);
    unseen.now = now;
    pods.push({ query: 'pods_unseen', t: unseen.since, pods: now });
  };
  const look = (query: keyof typeof last, counted: Map<string, number>) => {
    const t = clock.now();
    const known = last[query];
    for (const name of new Set([...options.functions, ...counted.keys(), ...known.keys()])) {
      const count = counted.get(name) ?? 0;
      // Changes only, with the sample before the change: the steps stay exact and the bundle small.
      if (known.get(name) === count) continue;
      pods.push({ query, t, function: name, pods: count });
      known.set(name, count);
    }
  };
  const lookAtPods = () => {
    lookWhoLooks();
    look('pods', target.pods());
    look('pods_ready', target.readyPods());
  };
  const harness = cpuMeter(
    () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6 + target.harnessCpuSeconds(),
  );
  const stolen = stolenMeter();
  const generator = cpuMeter(options.generatorCpu);
  const lookAtCpu = () => {
    const [harnessCpu, generatorCpu] = [harness(), generator()];
    if (harnessCpu !== undefined)
      journal.write({ type: 'harness.sample', cpu: harnessCpu, rssBytes: process.memoryUsage.rss() });
    if (generatorCpu !== undefined) journal.write({ type: 'generator.sample', cpu: generatorCpu });
    journal.write({ type: 'host.sample', stolen: stolen() });
  };
  lookAtPods();
  const timers = [setInterval(lookAtPods, PODS_EVERY_MS), setInterval(lookAtCpu, CPU_EVERY_MS)];
  const lookNoMore = () => timers.forEach(clearInterval);
  return {
    pods,
    [Symbol.dispose]: lookNoMore,
    stop() {
      lookNoMore();
      const t = clock.now();
      for (const query of ['pods', 'pods_ready'] as const)
        for (const [name, count] of last[query]) pods.push({ query, t, function: name, pods: count });
    },
  };
}
