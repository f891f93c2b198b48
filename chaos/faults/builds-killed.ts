/** The build pods that run at this moment are killed: Kaniko, in the middle of its work. */
import { HarnessError } from '../../base/errors.ts';
import { checkParams, type FaultKind, refuseNoCluster } from '../fault.ts';
import { required } from './required.ts';

const BUILDS = ['--selector=lambda.knative.io/build=true', '--field-selector=status.phase=Running'];
const NAMES = '--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {end}';
/** A build under load is never far away. */
const WAIT_MS = 30_000;

export const buildsKilled: FaultKind = {
  kind: 'builds-killed',
  refuse: (params, abilities) => refuseNoCluster(abilities) ?? checkParams(params, {}),
  undo: () => 'the builder begins a build anew by itself',
  probe: () => 'a build pod that ran is gone, and its Job did not complete',
  arm(_name, _params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    let killed: string[] = [];
    return {
      undo: [],
      async inject() {
        const deadline = performance.now() + WAIT_MS;
        while (killed.length === 0) {
          const said = (await cluster.kubectl('get', 'pods', ...BUILDS, NAMES)).trim().split(' ');
          killed = said.filter((_, i) => i % 2 === 0 && said[i] !== '');
          if (killed.length > 0) break;
          if (performance.now() > deadline)
            throw new HarnessError(`no build ran within ${WAIT_MS / 1000} s: there was nothing to kill`);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        await cluster.kubectl('delete', 'pod', ...killed, '--grace-period=0', '--force', '--wait=false');
        return `deleted without grace: ${killed.join(', ')}`;
      },
      async revert() {
        killed = [];
      },
      async probe() {
        if (killed.length === 0) return { seen: false, detail: 'no build pod was killed' };
        const left = await cluster.kubectl('get', 'pods', ...killed, '--ignore-not-found', '--output=name');
        // The pod of a Job is called as the Job, with five letters after it.
        const jobs = killed.map((pod) => `job/${pod.replace(/-[^-]+$/, '')}`);
        const succeeded = await cluster.kubectl(
          'get',
          ...jobs,
          '--ignore-not-found',
          '--output=jsonpath={..succeeded}',
        );
        return {
          seen: left.trim() === '' && succeeded.trim() === '',
          detail: `${killed.length} build pods killed; left: ${left.trim() || 'none'}; completed: ${succeeded.trim() || 'none'}`,
        };
      },
      audit: async () => [],
    };
  },
};
