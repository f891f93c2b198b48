/** Pods of a component are killed; the cluster starts others. Once, or again and again until the revert. */
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import { type Allow, checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { GuardrailError } from '../guardrails/guard.ts';
import { lookFrom, pods } from '../rights.ts';
import { required } from './required.ts';

/** The one broker node that is killed: the others must carry on. */
const BROKER_NODE = 'rabbitmq-0';

export const podKilled: FaultKind = {
  kind: 'pod-killed',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      everySeconds: { type: 'number', above: 0 },
    }) ??
    refuseComponent(params, abilities.components, abilities),
  undo: ({ component }) => `the cluster starts another pod of ${component} by itself`,
  probe: ({ component }) => `${component} does not answer`,
  rights: (_params, cluster) => [pods(cluster, ['get', 'list', 'delete']), ...lookFrom(cluster)],
  lasts: false,
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    let timer: NodeJS.Timeout | undefined;
    let reverted = false;
    let failed: Error | undefined;
    let onItsWay: Promise<unknown> = Promise.resolve();
    const victims = () => (component === 'rabbitmq' ? [BROKER_NODE] : cluster.podsOf(component));
    const remove = (pods: string[], ...flags: string[]) => {
      const now = ['--grace-period=0', '--force', '--ignore-not-found', '--wait=false'];
      return cluster.kubectl('delete', 'pod', ...pods, ...now, ...flags);
    };
    const kill = async (allow: Allow): Promise<string> => {
      const pods = victims();
      allow(cluster.impactOfPods(component, pods));
      if (pods.length === 0) return 'no pod was there';
      await remove(pods);
      return `deleted without grace: ${pods.join(', ')}`;
    };
    return {
      undo: [],
      rehearse: async () => void (await remove(victims(), '--dry-run=server')),
      async inject(allow) {
        if (victims().length === 0)
          throw new EvidenceError(`${component} has no pod: nobody was there to be killed`);
        const done = await kill(allow);
        const { everySeconds } = params;
        const again = () => {
          onItsWay = onItsWay
            .then(() => (reverted ? undefined : kill(allow)))
            .catch((error: Error) => {
              // What the user's guardrails forbid stops the run by itself.
              if (!(error instanceof GuardrailError)) failed ??= error;
            });
        };
        if (everySeconds && !reverted) timer = setInterval(again, Number(everySeconds) * 1000);
        return everySeconds ? `${done}; again every ${everySeconds} s` : done;
      },
      async revert() {
        reverted = true;
        clearInterval(timer);
        await onItsWay;
        if (failed) throw new HarnessError(`it could not be killed again: ${failed.message}`);
      },
      async probe() {
        if (component !== 'rabbitmq') return components.probe(component);
        const [from] = cluster.podsOf('receiver');
        if (from === undefined) throw new HarnessError('the receiver has no pod to look from');
        const { state, detail } = await cluster.reach(from, `${BROKER_NODE}.rabbitmq-nodes`, 5672);
        return { seen: state !== 'open', detail };
      },
      audit: async () => [],
    };
  },
};
