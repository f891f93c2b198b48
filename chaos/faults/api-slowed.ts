/** Kubernetes' API server gets little processor time: what watches, leads or creates through it waits. */
import { checkParams, type FaultKind, refuseNoCluster, refuseNoMachines } from '../fault.ts';
import { pods } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

/** The quickest of three answers takes longer: on an idle cluster it takes about 10 ms, on a busy one one of them may be late. */
const SLOW_MS = 50;
const LOOKS = 3;
const SYSTEM = 'kube-system';

export const apiSlowed: FaultKind = {
  kind: 'api-slowed',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    refuseNoMachines(abilities) ??
    checkParams(params, { cpuPercent: { type: 'number', required: true, above: 0 } }),
  undo: () => 'the limit of the API server’s processor time is taken away',
  probe: () => `the quickest of ${LOOKS} answers of the API server takes more than ${SLOW_MS} ms`,
  lasts: true,
  rights: (_params, cluster) => [pods(cluster, ['get', 'list'], SYSTEM)],
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const undo = cluster.undo.quicken();
    const percent = Number(params.cpuPercent);
    return {
      undo: [undo],
      async inject(allow) {
        const which = ['--selector=component=kube-apiserver', `--namespace=${SYSTEM}`, '--output=name'];
        const pods = (await cluster.kubectl('get', 'pods', ...which)).trim().split(/\s+/).filter(Boolean);
        allow({
          pods: pods.map((name) => ({ namespace: SYSTEM, name: name.replace(/^pod\//, '') })),
          nodes: [],
          workloads: [{ name: `${SYSTEM}/kube-apiserver`, hit: pods.length, of: pods.length }],
        });
        await cluster.slowApi(percent / 100);
        return `the API server has ${percent} % of a core`;
      },
      revert: () => cluster.quickenApi(),
      async probe() {
        let quickest = Number.POSITIVE_INFINITY;
        for (let look = 0; look < LOOKS && quickest > SLOW_MS; look++)
          quickest = Math.min(quickest, await cluster.apiAnswerMs());
        return { seen: quickest > SLOW_MS, detail: `the quickest answer took ${Math.round(quickest)} ms` };
      },
      audit: async () => leftover(undo),
    };
  },
};
