/** A component is killed and stays away until the revert: a pod that can not start again. */
import { checkParams, type FaultKind, refuseComponent } from '../fault.ts';
import { lookAt, ownerOf, pods, scaling } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { required } from './required.ts';

export const componentKilled: FaultKind = {
  kind: 'component-killed',
  refuse: (params, abilities) =>
    checkParams(params, { component: { type: 'string', required: true } }) ??
    refuseComponent(params, [...abilities.components, ...abilities.infrastructure], abilities),
  undo: ({ component }) => `${component} is started again`,
  probe: ({ component }) => `${component} gives no answer at all`,
  rights: ({ component }, cluster) => {
    const { namespace, resource, name } = ownerOf(cluster, component);
    return [
      ...scaling(namespace, resource, name),
      pods(cluster, ['get', 'list', 'delete'], namespace),
      ...lookAt(cluster, component),
    ];
  },
  lasts: true,
  arm(_name, params, drivers) {
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    return {
      // As it is found right before.
      get undo() {
        return components.undoOf(component);
      },
      rehearse: () => components.rehearse(component),
      prepare: async () => components.look?.(component),
      async inject(allow) {
        allow(await components.impact(component));
        return components.hold(component);
      },
      revert: () => components.release(component),
      probe: () => components.probe(component),
      audit: async () => components.undoOf(component).flatMap(leftover),
    };
  },
};
