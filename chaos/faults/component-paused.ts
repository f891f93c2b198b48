/** A component stands still (SIGSTOP): its connections stay open and nothing answers. */
import { checkParams, type FaultKind, refuseComponent } from '../fault.ts';
import { required } from './required.ts';

export const componentPaused: FaultKind = {
  kind: 'component-paused',
  refuse: (params, abilities) =>
    checkParams(params, { component: { type: 'string', required: true } }) ??
    refuseComponent(params, abilities.pausable, abilities),
  undo: ({ component }) => `SIGCONT to ${component}`,
  probe: ({ component }) => `${component} gives no answer at all within 400 ms`,
  lasts: true,
  arm(_name, params, drivers) {
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    return {
      undo: [],
      async inject(allow) {
        allow(await components.impact(component));
        await components.pause(component);
        return `SIGSTOP to ${component}`;
      },
      revert: () => components.resume(component),
      probe: () => components.probe(component),
      audit: async () => [],
    };
  },
};
