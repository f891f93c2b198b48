/** A worker is lost, with all that runs on it: no answer, no refusal, as when its power is gone. */
import { connect } from 'node:net';
import { HarnessError } from '../../base/errors.ts';
import {
  checkParams,
  type FaultKind,
  type Observation,
  refuseComponent,
  refuseNoCluster,
  refuseNoMachines,
} from '../fault.ts';
import { COUNTING } from '../rights-to-count.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

const KUBELET_PORT = 10_250;

export const nodeLost: FaultKind = {
  kind: 'node-lost',
  // With one worker there is nowhere to go: that is another fault, the loss of everything.
  refuse: (params, abilities) =>
    refuseNoCluster(abilities, 2) ??
    refuseNoMachines(abilities) ??
    checkParams(params, { of: { type: 'string', required: true } }) ??
    refuseComponent(params, abilities.components, abilities, 'of'),
  undo: () => 'the node’s processes go on, and its packets pass',
  probe: () => "the node's kubelet gives neither an answer nor a refusal",
  rights: () => COUNTING,
  lasts: true,
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    let lost: { name: string; address: string } | undefined;
    return {
      // Which one it will be is known at the injection only: all may have to be revived.
      undo: cluster.workers.map(({ name }) => cluster.undo.revive(name)),
      async inject(allow) {
        const [pod] = cluster.podsOf(String(params.of));
        if (pod === undefined) throw new HarnessError(`${params.of} has no pod: its node is not known`);
        const name = (await cluster.kubectl('get', 'pod', pod, '--output=jsonpath={.spec.nodeName}')).trim();
        lost = cluster.workers.find((worker) => worker.name === name);
        if (!lost) throw new HarnessError(`${pod} runs on ${name}, which is no worker`);
        allow(await cluster.impactOfNode(lost.name));
        await cluster.lose(lost.name);
        return `${lost.name}, on which ${pod} runs, is lost`;
      },
      async revert() {
        if (lost) await cluster.revive(lost.name);
      },
      async probe() {
        return lost ? probeNode(lost) : { seen: false, detail: 'no node is chosen yet' };
      },
      audit: async () => cluster.workers.flatMap(({ name }) => leftover(cluster.undo.revive(name))),
    };
  },
};

/** An open connection is not enough: the kernel opens it for a process that stands still. Any answer shows that somebody is there. */
function probeNode({ name, address }: { name: string; address: string }): Promise<Observation> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: KUBELET_PORT });
    const finish = (seen: boolean, what: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ seen, detail: `kubelet of ${name}: ${what}` });
    };
    const timer = setTimeout(() => finish(true, 'no answer in 400 ms, nothing refused'), 400);
    socket.once('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    socket.once('data', () => finish(false, 'answers'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(false, error.code ?? error.message));
  });
}
