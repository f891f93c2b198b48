/** Pods of a component are killed; the cluster starts others. Once, or again and again until the revert. */
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import { type Allow, checkParams, type FaultKind, refuseComponent, refuseNoCluster } from '../fault.ts';
import { GuardrailError } from '../guardrails/guard.ts';
import { lookAt, pods } from '../rights.ts';
import { selectorOf } from './pods.ts';
import { required } from './required.ts';

/** The one broker node that is killed: the others must carry on. */
const BROKER_NODE = 'rabbitmq-0';
/** Of the replicas of a component, the one that holds its Lease. Source: Kubernetes' documentation, "Leases", leader election. */
const LEADER = 'leader';

/** A pod a line: `name phase [since when it is on its way out]`. */
const PODS =
  '--output=jsonpath={range .items[*]}{.metadata.name} {.status.phase} [{.metadata.deletionTimestamp}]{"\\n"}{end}';
const THERE = /^(\S+) (?:Pending|Running) \[\]$/;
/** What kubectl says of a pod that it has deleted, and of no other. */
const DELETED = /^pod\/(\S+)$/gm;

export const podKilled: FaultKind = {
  kind: 'pod-killed',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      everySeconds: { type: 'number', above: 0 },
      which: { type: 'string' },
    }) ??
    (params.which === undefined || params.which === LEADER
      ? undefined
      : `parameter "which" is "${params.which}": expected ${LEADER}, or none for all of its pods`) ??
    refuseComponent(params, abilities.components, abilities),
  undo: ({ component }) => `the cluster starts another pod of ${component} by itself`,
  probe: ({ component, which }) =>
    which === LEADER
      ? `the pod that holds the Lease of ${component} is not there`
      : `${component} does not answer`,
  rights: ({ component, which }, cluster) => [
    pods(cluster, ['get', 'list', 'delete']),
    ...(which === LEADER
      ? [
          {
            ...{ namespace: cluster.namespace, group: 'coordination.k8s.io', resources: ['leases'] },
            verbs: ['list'],
          },
        ]
      : lookAt(cluster, component)),
  ],
  lasts: false,
  arm(_name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const components = required(drivers.components, 'components');
    const component = String(params.component);
    let timer: NodeJS.Timeout | undefined;
    let reverted = false;
    let failed: Error | undefined;
    let onItsWay: Promise<unknown> = Promise.resolve();
    const isLeader = params.which === LEADER;
    /** Name of the pod that holds a Lease of the namespace, of those that this component has or had. */
    const known = new Set<string>();
    const leader = async () => {
      for (const pod of cluster.podsOf(component)) known.add(pod);
      const path = '--output=jsonpath={.items[*].spec.holderIdentity}';
      const holders = (await cluster.kubectl('get', 'leases', path)).trim().split(/\s+/);
      // Source: client-go's leader election; the identity is the host's name, a `_` and something unique.
      const names = holders.map((holder) => holder.split('_')[0] as string);
      const held = names.find((name) => known.has(name));
      if (held === undefined)
        throw new HarnessError(`no pod of ${component} holds a Lease: does it elect a leader?`);
      return held;
    };
    /** As the server has them now: a watch may have been blind for a while, and pods of before have other names. */
    const victims = async () => {
      const said = await cluster.kubectl('get', 'pods', selectorOf(cluster, component), PODS);
      const there = said.split('\n').flatMap((line) => THERE.exec(line.trim())?.[1] ?? []);
      if (isLeader) return [await leader()].filter((pod) => there.includes(pod));
      return component === 'rabbitmq' ? [BROKER_NODE].filter((pod) => there.includes(pod)) : there;
    };
    /** @returns those that it deleted: of names that are gone kubectl says nothing, and ends well */
    const remove = async (pods: string[], ...flags: string[]) => {
      const now = ['--grace-period=0', '--force', '--ignore-not-found', '--wait=false', '--output=name'];
      const said = await cluster.kubectl('delete', 'pod', ...pods, ...now, ...flags);
      return [...said.matchAll(DELETED)].map(([, pod]) => pod as string);
    };
    /** @returns what was done; undefined: nobody was there */
    const kill = async (allow: Allow): Promise<string | undefined> => {
      const pods = await victims();
      if (pods.length === 0) return undefined;
      allow(await cluster.impactOfPods(component, pods));
      const done = await remove(pods);
      const gone = pods.filter((pod) => !done.includes(pod));
      if (done.length === 0)
        throw new EvidenceError(`${gone.join(', ')} of ${component} were gone before: nobody was killed`);
      return `deleted without grace: ${done.join(', ')}${gone.length > 0 ? `; gone before: ${gone.join(', ')}` : ''}`;
    };
    return {
      undo: [],
      rehearse: async () => void (await remove(await victims(), '--dry-run=server')),
      async inject(allow) {
        const done = await kill(allow);
        if (done === undefined)
          throw new EvidenceError(`${component} has no pod: nobody was there to be killed`);
        const { everySeconds } = params;
        const again = () => {
          onItsWay = onItsWay
            .then(() => (reverted ? undefined : kill(allow)))
            .catch((error: Error) => {
              // What the user's guardrails forbid stops the run by itself. Somebody else was quicker: the next time again. And what the end
              // has overtaken may no more: nobody was killed.
              const excused = reverted || error instanceof GuardrailError || error instanceof EvidenceError;
              if (!excused) failed ??= error;
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
        if (isLeader) {
          const pod = await leader();
          const there = cluster.podsOf(component).includes(pod);
          return { seen: !there, detail: `${pod} holds the Lease and is ${there ? 'there' : 'gone'}` };
        }
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
