/** Something beside a component, in the same container, burns its processor time or takes its memory. */
import { HarnessError } from '../../base/errors.ts';
import type { ChaosObject } from '../drivers.ts';
import { checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { chaosObject, lookFrom } from '../rights.ts';
import { ending, throughChaosMesh } from './chaos-mesh.ts';
import { required } from './required.ts';

/** Nanoseconds on cgroup v1, microseconds on v2, each with the instant of its reading: a busy machine sleeps longer than it was told. */
const USAGE =
  'u() { date +%s%N; cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || sed -n "s/usage_usec \\(.*\\)/\\1000/p" /sys/fs/cgroup/cpu.stat; }; u; sleep 0.3; u';
/** Cores that count as busy, of each worker that burns. */
const BUSY = 0.3;
const MEMORY =
  'cat /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.current';
const MIB = 2 ** 20;
/** Of what is to be taken, the share that must be seen taken. */
const TAKEN = 0.9;

/**
 * By stress-ng, which takes it once and keeps it: Chaos Mesh's own stressor for memory calls a program that only a download of its
 * daemon has, and one that was built from source does without.
 */
const takeMemory = (mib: number) => ['--vm 1', `--vm-bytes ${mib}M`, '--vm-keep', '--vm-hang 0'];

export const componentStressed: FaultKind = {
  kind: 'component-stressed',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      workers: { type: 'number', above: 0 },
      memoryMiB: { type: 'number', above: 0 },
    }) ??
    ((params.workers === undefined) === (params.memoryMiB === undefined)
      ? 'expected either workers (processor) or memoryMiB'
      : undefined) ??
    refuseComponent(params, abilities.cluster?.shells ?? [], abilities),
  undo: () => 'the Chaos Mesh object that burns or takes is deleted',
  probe: ({ component, workers, memoryMiB }) =>
    workers === undefined
      ? `${component}'s own cgroup holds more than ${TAKEN * Number(memoryMiB)} MiB on top of what it held before`
      : `${component}'s own cgroup uses more than ${BUSY * Number(workers)} cores on top of what it used before`,
  rights: (_params, cluster) => [chaosObject(cluster, 'stresschaos'), ...lookFrom(cluster)],
  lasts: true,
  arm(name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const component = String(params.component);
    const workers = params.workers === undefined ? undefined : Number(params.workers);
    const memoryMiB = Number(params.memoryMiB);
    const chaos: ChaosObject = {
      apiVersion: 'chaos-mesh.org/v1alpha1',
      kind: 'StressChaos',
      metadata: { name: `faultline-${name}` },
      spec: {
        mode: 'all',
        selector: { namespaces: [cluster.namespace], labelSelectors: cluster.labelsOf(component) },
        stressors:
          workers === undefined
            ? { cpu: { workers: 1, load: 1, options: takeMemory(memoryMiB) } }
            : { cpu: { workers, load: 100 } },
      },
    };
    // What cannot be read is neither there nor gone.
    const read = async (command: string): Promise<{ pod: string; numbers: number[] }> => {
      const [pod] = cluster.podsOf(component);
      if (pod === undefined) throw new HarnessError(`${component} has no pod`);
      const said = await cluster.shell(pod, command);
      const numbers = said.trim().split('\n').map(Number);
      if (numbers.some((n) => !(n > 0))) throw new HarnessError(`${pod} could not be asked: ${said.trim()}`);
      return { pod, numbers };
    };
    const heldMib = async () => {
      const { pod, numbers } = await read(MEMORY);
      return { pod, mib: (numbers[0] as number) / MIB };
    };
    const usedCores = async () => {
      const { pod, numbers } = await read(USAGE);
      const [from = 0, used = 0, to = 0, usedThen = 0] = numbers;
      return { pod, cores: (usedThen - used) / (to - from) };
    };
    /** What it held, and used, before: its own. */
    let ownMib: number | undefined;
    let ownCores = 0;
    return {
      ...throughChaosMesh(cluster, chaos),
      async inject(allow, plannedMs) {
        allow(await cluster.impactOfPods(component));
        if (workers === undefined) ownMib = (await heldMib()).mib;
        else ownCores = (await usedCores()).cores;
        await cluster.inject(ending(chaos, plannedMs));
        return workers === undefined
          ? `${memoryMiB} MiB are taken in the container of ${component}`
          : `${workers} busy processes in the container of ${component}`;
      },
      async probe() {
        if (workers === undefined) {
          const { pod, mib } = await heldMib();
          const more = mib - (ownMib ?? mib);
          return {
            seen: more > TAKEN * memoryMiB,
            detail: `${pod} holds ${Math.round(mib)} MiB, ${Math.round(more)} more than before`,
          };
        }
        const { pod, cores } = await usedCores();
        return {
          seen: cores - ownCores > BUSY * workers,
          detail: `${pod} uses ${cores.toFixed(2)} cores, ${ownCores.toFixed(2)} before`,
        };
      },
    };
  },
};
