/** A component is killed (SIGKILL) and stays away until the revert: a pod that can not start again. */
import { checkParams, type FaultKind, refuseComponent } from '../fault.ts';
import { required } from './required.ts';
import { probeSilence } from './silence-probe.ts';

export const componentKilled: FaultKind = {
  kind: 'component-killed',
  refuse: (params, abilities) =>
    checkParams(params, { component: { type: 'string', required: true } }) ??
    refuseComponent(params, abilities),
  undo: ({ component }) => `the supervisor starts ${component} again`,
  probe: ({ component }) => `${component} gives no answer at all`,
  arm(_name, params, drivers) {
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    return {
      // The run's supervisor holds it; when the run dies, its processes go with it, and nothing is held any more.
      undo: [],
      async inject() {
        await components.hold(component);
        return `SIGKILL to ${component}, restart withheld`;
      },
      revert: () => components.release(component),
      probe: () => probeSilence(components.readyUrl(component)),
      audit: async () => [],
    };
  },
};
