/** One node of the broker is cut from its peers: the cluster of three splits into one and two. */
import type { ChaosObject } from '../drivers.ts';
import { checkParams, type FaultKind, refuseNoCluster } from '../fault.ts';
import { chaosObject, lookFrom } from '../rights.ts';
import { ending, throughChaosMesh } from './chaos-mesh.ts';
import { required } from './required.ts';

const CUT = 'rabbitmq-0';
const PEER = 'rabbitmq-1.rabbitmq-nodes';
/** Where Erlang nodes meet. Source: RabbitMQ documentation, "Networking", ports. */
const DISTRIBUTION_PORT = 25_672;

export const brokerSplit: FaultKind = {
  kind: 'broker-split',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {}) ??
    (abilities.components.includes('rabbitmq') ? undefined : 'the platform has no broker of its own'),
  undo: () => 'the Chaos Mesh object that cuts the node off is deleted',
  probe: () => `${CUT} gets neither an answer nor a refusal from its peer`,
  rights: (_params, cluster) => [chaosObject(cluster, 'networkchaos'), ...lookFrom(cluster)],
  lasts: true,
  arm(name, _params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const chaos = partition(`faultline-${name}`, cluster.namespace);
    return {
      ...throughChaosMesh(cluster, chaos),
      async inject(allow, plannedMs) {
        // The packets of all nodes are filtered, on both sides of the cut.
        allow(await cluster.impactOfPods('rabbitmq'));
        await cluster.inject(ending(chaos, plannedMs));
        return `${CUT} is cut from the other nodes in both directions`;
      },
      async probe() {
        const { state, detail } = await cluster.reach(CUT, PEER, DISTRIBUTION_PORT);
        return { seen: state === 'silent', detail };
      },
    };
  },
};

function partition(name: string, namespace: string): ChaosObject {
  const label = 'statefulset.kubernetes.io/pod-name';
  const app = { namespaces: [namespace], labelSelectors: { app: 'rabbitmq' } };
  return {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'NetworkChaos',
    metadata: { name },
    spec: {
      action: 'partition',
      mode: 'all',
      direction: 'both',
      selector: { namespaces: [namespace], labelSelectors: { [label]: CUT } },
      target: {
        mode: 'all',
        selector: {
          ...app,
          expressionSelectors: [{ key: label, operator: 'NotIn', values: [CUT] }],
        },
      },
    },
  };
}
