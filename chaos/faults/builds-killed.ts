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
/** By its name: the kubelet sorts the containers of a pod, and one that was put beside it may come first. */
const KANIKO = 'kaniko';
const STATE = `.status.containerStatuses[?(@.name=="${KANIKO}")].state`;
/** A pod a line: `name` and since when it works; nothing where it does not. */
const RUNNING = `--output=jsonpath={range .items[*]}{.metadata.name} {${STATE}.running.startedAt}{"\\n"}{end}`;
const IS_RUNNING = /^(\S+) \S+$/;
/** A pod a line: `name`, exit code, and reason; after it, since when the pod is on its way out. */
const ENDED = `--output=jsonpath={range .items[*]}{.metadata.name} {${STATE}.terminated.exitCode} {${STATE}.terminated.reason}{.metadata.deletionTimestamp}{"\\n"}{end}`;
const HAS_ENDED = /^(\S+) (\d+ .*)$/;
/**
 * A build that failed for a reason of its own, such as a registry that refuses, proves no kill. SIGKILL is 128 + 9; the kernel that
 * ends it for its memory, and a kubelet that ends a deleted pod, send the same signal.
 */
const BY_SIGKILL = '137 Error';

export const buildsKilled: FaultKind = {
  kind: 'builds-killed',
  refuse: (params, abilities) => refuseNoCluster(abilities) ?? checkParams(params, {}),
  undo: () => 'the builder begins a build anew by itself; the Chaos Mesh object is deleted',
  probe: () => 'Kaniko has ended by SIGKILL in a build that ran',
  rights: (_params, cluster) => [chaosObject(cluster, 'podchaos'), pods(cluster, ['get', 'list'])],
  lasts: false,
  arm(name, _params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const chaos = (pods: string[]) => kill(`faultline-${name}`, cluster.namespace, pods);
    const undo = cluster.undo.delete(`podchaos.chaos-mesh.org/faultline-${name}`);
    let struck: string[] = [];
    const builds = async (how: string, line: RegExp) => {
      const said = await cluster.kubectl('get', 'pods', '--selector=lambda.knative.io/build=true', how);
      return said.split('\n').flatMap((text) => {
        const [, pod = '', end = ''] = line.exec(text) ?? [];
        return pod === '' ? [] : [{ pod, end }];
      });
    };
    const ended = async () => {
      const ours = (await builds(ENDED, HAS_ENDED)).filter(({ pod }) => struck.includes(pod));
      const killed = ours.filter(({ end }) => end === BY_SIGKILL);
      return { killed: killed.map(({ pod }) => pod), all: ours.length === struck.length };
    };
    /** Whether one of them is seen to be killed; false when they were done before it came, and so can not be. */
    const strike = async (object: ChaosObject): Promise<boolean> => {
      let refusal: Error | undefined;
      const injecting = cluster.inject(object).catch((error: Error) => {
        refusal = error;
      });
      const soon = performance.now() + KILLED_WITHIN_MS;
      let done = false;
      while (!done && performance.now() < soon) {
        const { killed, all } = await ended();
        if (killed.length > 0) return true;
        done = all;
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
          struck = (await builds(RUNNING, IS_RUNNING)).map(({ pod }) => pod);
          if (struck.length > 0) {
            const pods = struck.map((name) => ({ namespace: cluster.namespace, name }));
            allow({ pods, nodes: [], workloads: [] });
            if (await strike(chaos(struck))) return `SIGKILL to Kaniko in ${struck.join(', ')}`;
          }
          await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
        }
        throw new HarnessError(`in ${WAIT_MS / 1000} s no build was killed in its work: was there any?`);
      },
      async revert() {
        struck = [];
        await cluster.recover(chaos([]));
      },
      async probe() {
        if (struck.length === 0) return { seen: false, detail: 'no build is to be killed' };
        const { killed } = await ended();
        const detail = `ended by SIGKILL: ${killed.join(', ') || 'none'}, of ${struck.join(', ')}`;
        return { seen: killed.length > 0, detail };
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
      containerNames: [KANIKO],
      selector: { namespaces: [namespace], pods: { [namespace]: pods } },
    },
  };
}
