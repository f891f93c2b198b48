/** A worker is emptied in the ordinary way, as before its maintenance: no new pods, and those that may go are asked to go. */
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import { type Allow, checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { COUNTING } from '../rights-to-count.ts';
import { leftover } from '../undo/operations.ts';
import { selectorOf } from './pods.ts';
import { required } from './required.ts';

/** For all its pods to go; those with a disruption budget go one after the other. */
const DRAINED_WITHIN_S = 90;
/** A pod a line: `namespace/name phase [kind of its controller]`. */
const PODS =
  '--output=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.phase} [{.metadata.ownerReferences[?(@.controller==true)].kind}]{"\\n"}{end}';
const LINE = /^([^/\s]+)\/(\S+) (\S*) \[(.*)\]$/;
const OVER = ['Succeeded', 'Failed'];

export const nodeDrained: FaultKind = {
  kind: 'node-drained',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities, 2) ??
    checkParams(params, { of: { type: 'string', required: true } }) ??
    refuseComponent(params, abilities.components, abilities, 'of'),
  undo: () => 'the node may take pods again',
  probe: ({ of }) => `the node takes no pods, and none of ${of} is on it any more`,
  // What is on it may be of any namespace. kubectl looks at each DaemonSet whose pods it leaves.
  rights: () => [
    ...COUNTING,
    { group: '', resources: ['pods/eviction'], verbs: ['create'] },
    { group: '', resources: ['nodes'], verbs: ['get', 'list', 'patch'] },
    { group: 'apps', resources: ['daemonsets'], verbs: ['get'] },
  ],
  lasts: true,
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const component = String(params.of);
    let chosen: string | undefined;
    let drained: string | undefined;
    // Of this node only: another may be closed meanwhile by who owns it.
    const undo = () =>
      chosen === undefined
        ? []
        : [
            cluster.undo.patch(`node/${chosen}`, {
              patch: { spec: { unschedulable: null } },
              field: '{.spec.unschedulable}',
              value: '',
            }),
          ];
    const nodesOf = async () => {
      const which = [selectorOf(cluster, component), '--output=jsonpath={.items[*].spec.nodeName}'];
      return (await cluster.kubectl('get', 'pods', ...which)).trim().split(/\s+/).filter(Boolean);
    };
    /** Not one that its owner has closed: it stays closed. */
    const choose = async () => {
      const path = '--output=jsonpath={.items[?(@.spec.unschedulable==true)].metadata.name}';
      const closed = (await cluster.kubectl('get', 'nodes', path)).trim().split(/\s+/);
      const open = cluster.workers.map(({ name }) => name).filter((name) => !closed.includes(name));
      const node = (await nodesOf()).find((name) => open.includes(name));
      if (node === undefined) throw new HarnessError(`no pod of ${component} is on a worker that takes pods`);
      return node;
    };
    const podsOn = async (node: string) => {
      const where = ['--all-namespaces', `--field-selector=spec.nodeName=${node}`];
      return (await cluster.kubectl('get', 'pods', ...where, PODS)).split('\n').flatMap((line) => {
        const [, namespace = '', name = '', phase = '', owner = ''] = LINE.exec(line.trim()) ?? [];
        const isOver = OVER.includes(phase);
        return name === '' ? [] : [{ namespace, name, isOver, bare: owner === '' && !isOver, owner }];
      });
    };
    const isMine = ({ namespace }: { namespace: string }) => namespace === cluster.namespace;
    /** @throws EvidenceError for a pod of somebody else that nobody would make again: no undo brings it back */
    const ask = async (node: string, allow: Allow): Promise<void> => {
      const impact = await cluster.impactOfNode(node);
      const found = (await podsOn(node)).filter((pod) => !isMine(pod));
      // Those that have ended serve nobody, and yet are deleted with the others.
      const ended = found.filter(({ isOver, owner }) => isOver && owner !== 'DaemonSet' && owner !== 'Node');
      const more = ended.map(({ namespace, name }) => ({ namespace, name }));
      // First: what is allowed counts as taken.
      refuseBare(node, found);
      allow({ ...impact, pods: [...impact.pods, ...more] });
    };
    const refuseBare = (node: string, pods: Awaited<ReturnType<typeof podsOn>>) => {
      const lost = pods.filter((pod) => pod.bare && !isMine(pod));
      if (lost.length > 0)
        throw new EvidenceError(
          `${node} is not drained: no controller would make ${lost.map(({ namespace, name }) => `${namespace}/${name}`).join(', ')} again`,
        );
    };
    const drain = async (node: string, ...flags: string[]) => {
      const found = await podsOn(node);
      refuseBare(node, found);
      // Without it, kubectl itself refuses what would not come again.
      const force = found.some(({ bare }) => bare) ? ['--force'] : [];
      const what = ['--ignore-daemonsets', '--delete-emptydir-data', ...force];
      return cluster.kubectl('drain', node, ...what, `--timeout=${DRAINED_WITHIN_S}s`, ...flags);
    };
    const open = async () => {
      if (drained !== undefined) await cluster.kubectl('uncordon', drained);
    };
    return {
      get undo() {
        return undo();
      },
      rehearse: async () => void (await drain(await choose(), '--dry-run=server')),
      async prepare() {
        chosen = await choose();
      },
      async inject(allow) {
        const node = chosen ?? (await choose());
        await ask(node, allow);
        drained = node;
        await cluster.kubectl('cordon', node);
        // What came until then goes with it too; now nothing comes any more.
        await ask(node, allow).catch(async (error) => {
          await open();
          drained = undefined;
          throw error;
        });
        await drain(node);
        return `${node} is drained`;
      },
      revert: open,
      async probe() {
        if (drained === undefined) return { seen: false, detail: 'no node is chosen yet' };
        const closed = await cluster.kubectl(
          'get',
          'node',
          drained,
          '--output=jsonpath={.spec.unschedulable}',
        );
        const there = (await nodesOf()).filter((node) => node === drained).length;
        return {
          seen: closed.trim() === 'true' && there === 0,
          detail: `${drained} ${closed.trim() === 'true' ? 'takes no pods' : 'takes pods'}, ${there} of ${component} on it`,
        };
      },
      audit: async () => undo().flatMap(leftover),
    };
  },
};
