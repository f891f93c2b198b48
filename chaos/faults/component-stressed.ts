/** Something beside a component, in the same container, burns its processor time or takes its memory. */
import type { ChaosObject } from '../drivers.ts';
import { checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { throughChaosMesh } from './chaos-mesh.ts';
import { required } from './required.ts';

/** Nanoseconds on cgroup v1, microseconds on v2; 0.3 s lie between the two readings. */
const USAGE =
  'u() { cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || sed -n "s/usage_usec \\(.*\\)/\\1000/p" /sys/fs/cgroup/cpu.stat; }; u; sleep 0.3; u';
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
    refuseComponent(params, abilities.components, abilities),
  undo: () => 'the Chaos Mesh object that burns or takes is deleted',
  probe: ({ component, workers, memoryMiB }) =>
    workers === undefined
      ? `${component}'s own cgroup holds more than ${TAKEN * Number(memoryMiB)} MiB`
      : `${component}'s own cgroup has used more than ${BUSY * Number(workers)} cores`,
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
        selector: { namespaces: [cluster.namespace], labelSelectors: { app: component } },
        stressors:
          workers === undefined
            ? { cpu: { workers: 1, load: 1, options: takeMemory(memoryMiB) } }
            : { cpu: { workers, load: 100 } },
      },
    };
    return {
      ...throughChaosMesh(cluster, chaos),
      async inject(allow) {
        allow(cluster.impactOfPods(component));
        await cluster.inject(chaos);
        return workers === undefined
          ? `${memoryMiB} MiB are taken in the container of ${component}`
          : `${workers} busy processes in the container of ${component}`;
      },
      async probe() {
        const [pod] = cluster.podsOf(component);
        if (pod === undefined) return { seen: false, detail: `${component} has no pod` };
        if (workers === undefined) {
          const mib = Number((await cluster.shell(pod, MEMORY)).trim()) / MIB;
          return { seen: mib > TAKEN * memoryMiB, detail: `${pod} holds ${Math.round(mib)} MiB` };
        }
        const [before, after] = (await cluster.shell(pod, USAGE)).trim().split('\n').map(Number) as [
          number,
          number,
        ];
        const cores = (after - before) / 0.3e9;
        return { seen: cores > BUSY * workers, detail: `${pod} uses ${cores.toFixed(2)} cores` };
      },
    };
  },
};
