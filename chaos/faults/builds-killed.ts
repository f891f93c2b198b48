/**
 * Kaniko is killed in the middle of a build, in every build pod in which it runs at this moment. By SIGKILL to its container: a pod
 * that is deleted gives it two seconds more, in which a build may end.
 */
import { HarnessError } from '../../base/errors.ts';
import type { ChaosObject } from '../drivers.ts';
import { checkParams, type FaultKind, refuseNoCluster } from '../fault.ts';
import { chaosObject, pods } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

/** Under load, a build is never far away; one may end just before it is killed, and then another is. */
const WAIT_MS = 60_000;
/** After this, a container that was killed is seen as such by the API. */
const KILLED_WITHIN_MS = 8000;
const LOOK_EVERY_MS = 200;
const RUNNING =
  '--output=jsonpath={range .items[?(@.status.containerStatuses[0].state.running)]}{.metadata.name} {.metadata.labels.job-name}{"\\n"}{end}';
const ENDED =
  '--output=jsonpath={range .items[*]}{.metadata.name} {.status.failed}/{.status.succeeded}{"\\n"}{end}';

export const buildsKilled: FaultKind = {
  kind: 'builds-killed',
  refuse: (params, abilities) => refuseNoCluster(abilities) ?? checkParams(params, {}),
  undo: () => 'the builder begins a build anew by itself; the Chaos Mesh object is deleted',
  probe: () => 'a Job whose Kaniko was killed has failed',
  rights: (_params, cluster) => [
    chaosObject(cluster, 'podchaos'),
    pods(cluster, ['get', 'list']),
    { namespace: cluster.namespace, group: 'batch', resources: ['jobs'], verbs: ['get', 'list'] },
  ],
  lasts: false,
  arm(name, _params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const chaos = (pods: string[]) => kill(`faultline-${name}`, cluster.namespace, pods);
    const undo = cluster.undo.delete(`podchaos.chaos-mesh.org/faultline-${name}`);
    let jobs: string[] = [];
    const builds = ['--selector=lambda.knative.io/build=true'];
    const ended = async () => {
      const said = await cluster.kubectl('get', 'jobs', ...builds, ENDED);
      const own = said.split('\n').map((line) => line.split(' ') as [string, string]);
      const ofThose = (how: RegExp) =>
        own.flatMap(([job, end]) => (jobs.includes(job) && how.test(end) ? [job] : []));
      return { failed: ofThose(/^[1-9]/), succeeded: ofThose(/[1-9]$/) };
    };
    /** Whether one of them is seen to have failed; false when they were done before it came, and so can not be killed. */
    const strike = async (object: ChaosObject): Promise<boolean> => {
      let refusal: Error | undefined;
      const injecting = cluster.inject(object).catch((error: Error) => {
        refusal = error;
      });
      const soon = performance.now() + KILLED_WITHIN_MS;
      let done = false;
      while (!done && performance.now() < soon) {
        const { failed, succeeded } = await ended();
        if (failed.length > 0) return true;
        done = succeeded.length === jobs.length;
        if (refusal && !done) throw refusal;
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
      // Taken away, it is not waited for any more: Chaos Mesh would try for ever.
      await cluster.recover(object);
      await injecting;
      return false;
    };
    return {
      undo: [undo],
      rehearse: () => cluster.rehearse(chaos([])),
      async inject(allow) {
        const deadline = performance.now() + WAIT_MS;
        while (performance.now() < deadline) {
          const said = (await cluster.kubectl('get', 'pods', ...builds, RUNNING)).trim();
          const running =
            said === '' ? [] : said.split('\n').map((line) => line.split(' ') as [string, string]);
          if (running.length > 0) {
            jobs = running.map(([, job]) => job);
            const pods = running.map(([name]) => ({ namespace: cluster.namespace, name }));
            allow({ pods, nodes: [], workloads: [] });
            const names = running.map(([pod]) => pod);
            if (await strike(chaos(names))) return `SIGKILL to Kaniko in ${names.join(', ')}`;
          }
          await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
        }
        throw new HarnessError(`in ${WAIT_MS / 1000} s no build was killed in its work: was there any?`);
      },
      async revert() {
        jobs = [];
        await cluster.recover(chaos([]));
      },
      async probe() {
        if (jobs.length === 0) return { seen: false, detail: 'no build is to be killed' };
        const { failed } = await ended();
        return {
          seen: failed.length > 0,
          detail: `killed: ${jobs.join(', ')}; failed: ${failed.join(', ') || 'none'}`,
        };
      },
      audit: async () => leftover(undo),
    };
  },
};

function kill(name: string, namespace: string, pods: string[]): ChaosObject {
  return {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'PodChaos',
    metadata: { name },
    spec: {
      action: 'container-kill',
      mode: 'all',
      containerNames: ['kaniko'],
      selector: { namespaces: [namespace], pods: { [namespace]: pods } },
    },
  };
}
