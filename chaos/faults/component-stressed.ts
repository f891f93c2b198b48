/** Something beside a component burns its processor time, in the same container. */
import type { ChaosObject } from '../drivers.ts';
import { checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

/** Nanoseconds on cgroup v1, microseconds on v2; 0.3 s lie between the two readings. */
const USAGE =
  'u() { cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || sed -n "s/usage_usec \\(.*\\)/\\1000/p" /sys/fs/cgroup/cpu.stat; }; u; sleep 0.3; u';
/** Cores that count as busy, of each worker that burns. */
const BUSY = 0.3;

export const componentStressed: FaultKind = {
  kind: 'component-stressed',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      workers: { type: 'number', required: true, above: 0 },
    }) ??
    refuseComponent(params, abilities.components, abilities),
  undo: () => 'the Chaos Mesh object that burns the processor is deleted',
  probe: ({ component, workers }) =>
    `${component}'s own cgroup has used more than ${BUSY * Number(workers)} cores`,
  lasts: true,
  arm(name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const component = String(params.component);
    const workers = Number(params.workers);
    const chaos: ChaosObject = {
      apiVersion: 'chaos-mesh.org/v1alpha1',
      kind: 'StressChaos',
      metadata: { name: `faultline-${name}` },
      spec: {
        mode: 'all',
        selector: { namespaces: [cluster.namespace], labelSelectors: { app: component } },
        stressors: { cpu: { workers, load: 100 } },
      },
    };
    const undo = cluster.undo.delete(`stresschaos.chaos-mesh.org/${chaos.metadata.name}`);
    return {
      undo: [undo],
      rehearse: () => cluster.rehearse(chaos),
      async inject(allow) {
        allow(cluster.impactOfPods(component));
        await cluster.inject(chaos);
        return `${workers} busy processes in the container of ${component}`;
      },
      revert: () => cluster.recover(chaos),
      async probe() {
        const [pod] = cluster.podsOf(component);
        if (pod === undefined) return { seen: false, detail: `${component} has no pod` };
        const [before, after] = (await cluster.shell(pod, USAGE)).trim().split('\n').map(Number) as [
          number,
          number,
        ];
        const cores = (after - before) / 0.3e9;
        return { seen: cores > BUSY * workers, detail: `${pod} uses ${cores.toFixed(2)} cores` };
      },
      audit: async () => leftover(undo),
    };
  },
};
