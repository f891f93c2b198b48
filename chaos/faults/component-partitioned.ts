/**
 * The platform is cut from a component: the component's service port becomes a black hole. Packets vanish in both
 * directions and nothing is refused, as when a switch dies; established connections find out by their own time-outs.
 */
import { checkParams, type FaultKind } from '../fault.ts';
import { chaosObject, lookFrom } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

export const componentPartitioned: FaultKind = {
  kind: 'component-partitioned',
  refuse(params, abilities) {
    const wrong = checkParams(params, { component: { type: 'string', required: true } });
    if (wrong) return wrong;
    if (!Array.isArray(abilities.blackhole))
      return `target ${abilities.target} can not drop packets: ${abilities.blackhole.impossible}`;
    const name = String(params.component);
    return abilities.blackhole.includes(name)
      ? undefined
      : `target ${abilities.target} can not cut off "${name}": expected one of ${abilities.blackhole.join(', ')}`;
  },
  undo: ({ component }) => `what drops ${component}'s packets is deleted`,
  probe: ({ component }) => `a connection to ${component} gets neither an answer nor a refusal`,
  rights: (_params, cluster) => [chaosObject(cluster, 'networkchaos'), ...lookFrom(cluster)],
  lasts: true,
  arm(name, params, drivers) {
    const network = required(drivers.network, 'the network');
    const component = String(params.component);
    const undo = network.undoOf(name);
    return {
      undo: [undo],
      rehearse: () => network.rehearse(name, component),
      async inject(allow, plannedMs) {
        allow(await network.impact(component));
        await network.blackhole(name, component, plannedMs);
        const { host, port } = network.address(component);
        return `packets of ${component} at ${host}:${port} are dropped in both directions`;
      },
      revert: () => network.restore(name),
      // Only silence is the effect: a refusal would be another fault.
      async probe() {
        const { state, detail } = await network.reach(component);
        return { seen: state === 'silent', detail };
      },
      async audit() {
        return leftover(undo);
      },
    };
  },
};
