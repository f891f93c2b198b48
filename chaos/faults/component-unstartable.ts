/** A component can not start any more: its image is not there, it crashes at once, or it gets too little memory. */
import { checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { ownerOf, pods } from '../rights.ts';
import { leftover } from '../undo/operations.ts';
import { selectorOf } from './pods.ts';
import { required } from './required.ts';

/** Less than Node needs to load the component, more than a container needs to be made. */
const TOO_LITTLE = '24Mi';
const REASONS = {
  image: /ErrImagePull|ImagePullBackOff/,
  crash: /Error|CrashLoopBackOff/,
  memory: /OOMKilled/,
};
type By = keyof typeof REASONS;
const FIELD = {
  image: '{.spec.template.spec.containers[0].image}',
  crash: '{.spec.template.spec.containers[0].command}',
  memory: '{.spec.template.spec.containers[0].resources.limits.memory}',
};

export const componentUnstartable: FaultKind = {
  kind: 'component-unstartable',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      by: { type: 'string', required: true },
    }) ??
    (String(params.by) in REASONS
      ? undefined
      : `parameter "by" is "${params.by}": expected one of ${Object.keys(REASONS).join(', ')}`) ??
    refuseComponent(
      params,
      abilities.components.filter((name) => name !== 'rabbitmq'),
      abilities,
    ),
  undo: ({ component }) => `the Deployment of ${component} is set back to what it was`,
  probe: ({ component, by }) =>
    `${component} does not answer, and its pod says why: ${REASONS[by as By].source}`,
  rights: ({ component }, cluster) => {
    const { namespace, resource } = ownerOf(cluster, component);
    return [
      { namespace, group: 'apps', resources: [resource], verbs: ['get', 'patch'] },
      pods(cluster, ['get', 'list'], namespace),
    ];
  },
  lasts: true,
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    const by = params.by as By;
    const was = required(components.settings, 'settings of components')(component);
    const { object } = was;
    const container = (change: object) => ({
      spec: { template: { spec: { containers: [{ name: was.container, ...change }] } } },
    });
    const changes: Record<By, { broken: object; whole: object; value: string }> = {
      image: {
        broken: { image: `${was.image}-that-is-not-there` },
        whole: { image: was.image },
        value: was.image,
      },
      crash: {
        broken: { command: ['false'] },
        whole: { command: was.command ?? null },
        value: was.command ? JSON.stringify(was.command) : '',
      },
      memory: {
        broken: { resources: { limits: { memory: TOO_LITTLE }, requests: { memory: TOO_LITTLE } } },
        whole: {
          resources: { limits: { memory: was.memoryLimit }, requests: { memory: was.memoryRequest } },
        },
        value: was.memoryLimit,
      },
    };
    const { broken, whole, value } = changes[by];
    const undo = cluster.undo.patch(object, { patch: container(whole), field: FIELD[by], value });
    const patch = (change: object, ...flags: string[]) =>
      cluster.kubectl(
        ...['patch', object, '--type=strategic', `--patch=${JSON.stringify(container(change))}`, ...flags],
      );
    return {
      undo: [undo],
      rehearse: async () => void (await patch(broken, '--dry-run=server')),
      async inject(allow) {
        allow(await components.impact(component));
        await patch(broken);
        return `${object}: ${JSON.stringify(broken)}`;
      },
      async revert() {
        await patch(whole);
      },
      async probe() {
        const silence = await components.probe(component);
        const path =
          '--output=jsonpath={..state.waiting.reason} {..state.terminated.reason} {..lastState.terminated.reason}';
        const said = (await cluster.kubectl('get', 'pods', selectorOf(cluster, component), path)).trim();
        return {
          seen: silence.seen && REASONS[by].test(said),
          detail: `${silence.detail}; pod: ${said || 'says nothing'}`,
        };
      },
      async audit() {
        const left = leftover(undo);
        // The bundle, which others read, is no place for a command: some have tokens in it.
        return by === 'crash' ? left.map(() => `${object} still has another command than it had`) : left;
      },
    };
  },
};
