/** No name is resolved any more: the cluster's DNS is gone. */
import { HarnessError } from '../../base/errors.ts';
import { checkParams, type FaultKind, refuseNoCluster } from '../fault.ts';
import { shareOf } from '../guardrails/share.ts';
import { replicasIn } from '../replicas.ts';
import { lookFrom, pods, scaling } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

const SYSTEM = 'kube-system';
const NAME = 'coredns';
const DNS = `deployment/${NAME}`;
/** Source: kubeadm's manifest of CoreDNS. */
const REPLICAS = 2;

export const dnsGone: FaultKind = {
  kind: 'dns-gone',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {}) ??
    (abilities.cluster?.shells.includes('receiver')
      ? undefined
      : 'there is no receiver with a shell to look from: what names resolve to could not be seen'),
  undo: () => `${DNS} is scaled back to what it was`,
  probe: () => "the receiver's pod can not resolve the broker's name",
  rights: (_params, cluster) => [
    ...scaling(SYSTEM, 'deployments', NAME),
    pods(cluster, ['get', 'list'], SYSTEM),
    ...lookFrom(cluster),
  ],
  lasts: true,
  arm(_name, _params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const replicas = async () => {
      const path = ['--output=jsonpath={.spec.replicas}', `--namespace=${SYSTEM}`];
      return replicasIn(await cluster.kubectl('get', DNS, ...path), DNS);
    };
    // As many as are found: a cluster of the user's own may have another number than kubeadm's.
    let found = REPLICAS;
    const undo = () => cluster.undo.scale(DNS, found, SYSTEM);
    const scale = (replicas: number, ...flags: string[]) =>
      cluster.kubectl('scale', DNS, `--replicas=${replicas}`, `--namespace=${SYSTEM}`, ...flags);
    return {
      get undo() {
        return [undo()];
      },
      rehearse: async () => void (await scale(0, '--dry-run=server')),
      async prepare() {
        found = (await replicas()) || REPLICAS;
      },
      async inject(allow) {
        const selector = ['--selector=k8s-app=kube-dns', `--namespace=${SYSTEM}`, '--output=name'];
        const pods = (await cluster.kubectl('get', 'pods', ...selector)).trim().split(/\s+/).filter(Boolean);
        // Whom the guardrails do not hear of, they do not protect.
        if (pods.length === 0) throw new HarnessError(`${DNS} has no pod with the label k8s-app=kube-dns`);
        allow({
          pods: pods.map((name) => ({ namespace: SYSTEM, name: name.replace(/^pod\//, '') })),
          nodes: [],
          workloads: shareOf(`${SYSTEM}/${NAME}`, { hit: pods.length, left: 0, wanted: found }),
        });
        await scale(0);
        return `${DNS} scaled to 0`;
      },
      async revert() {
        if ((await replicas()) === 0) await scale(found);
      },
      async probe() {
        const [pod] = cluster.podsOf('receiver');
        if (pod === undefined) throw new HarnessError('the receiver has no pod to look from');
        const said = await cluster.shell(pod, 'timeout 0.4 getent hosts rabbitmq; echo code=$?');
        const code = /code=(\d+)/.exec(said)?.[1];
        // Who did not get into the pod knows nothing of its names: neither that they are gone nor that they are back.
        if (code === undefined) throw new HarnessError(`could not look from ${pod}: ${said.trim()}`);
        return {
          seen: code !== '0',
          detail: `getent hosts rabbitmq in ${pod}: ${said.trim().replaceAll(/\s+/g, ' ')}`,
        };
      },
      audit: async () => leftover(undo()),
    };
  },
};
