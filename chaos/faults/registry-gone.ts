/** The registry is gone: connections to it are cut without an answer. */
import { checkParams, type FaultKind } from '../fault.ts';
import { probeSilence } from '../silence-probe.ts';
import { required } from './required.ts';

export const registryGone: FaultKind = {
  kind: 'registry-gone',
  refuse: (params, abilities) =>
    checkParams(params, {}) ??
    (abilities.throttle ? undefined : `target ${abilities.target} has nothing in front of its registry`),
  undo: () => 'what stands in front of the registry lets requests through again',
  probe: () => 'the registry gives no answer at all',
  lasts: true,
  arm(_name, _params, drivers) {
    const throttle = required(drivers.throttle, 'what stands in front of the registry');
    return {
      // It is a process of the run and ends with it.
      undo: [],
      async inject(allow) {
        // No pod, and no node, is touched.
        allow({ pods: [], nodes: [], workloads: [] });
        await throttle.cutOff();
        return 'connections to the registry are cut without an answer';
      },
      revert: () => throttle.clear(),
      probe: () => probeSilence(`${throttle.registryUrl}/v2/`),
      audit: async () => [],
    };
  },
};
