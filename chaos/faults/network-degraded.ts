/** What a component sends is delayed, lost in part, or let through slowly; the connection stays. */
import { HarnessError } from '../../base/errors.ts';
import type { ChaosObject } from '../drivers.ts';
import {
  type Abilities,
  checkParams,
  type FaultKind,
  type FaultParams,
  refuseComponent,
  refuseNoCluster,
} from '../fault.ts';
import { chaosObject } from '../rights.ts';
import { ending, throughChaosMesh } from './chaos-mesh.ts';
import { required } from './required.ts';

/** What the kernel must have for each, and what Chaos Mesh is asked for. */
const WAYS = {
  delayMs: { shaper: 'netem', action: 'delay', spec: (n: number) => ({ latency: `${n}ms` }) },
  lossPercent: { shaper: 'netem', action: 'loss', spec: (n: number) => ({ loss: String(n) }) },
  bandwidthKbit: {
    ...{ shaper: 'tbf', action: 'bandwidth' },
    // Of a burst the kernel lets through at once as much as fits: little more than a packet.
    spec: (n: number) => ({ rate: `${n * BYTES_PER_KBIT}bps`, limit: 1_000_000, buffer: 3000 }),
  },
} as const;
type Way = keyof typeof WAYS;
const NAMES = Object.keys(WAYS) as Way[];
const BYTES_PER_KBIT = 125;

/** Questions of one look, all at once. */
const QUESTIONS = 10;
/** Of one whose network is whole, on a busy machine. */
const ASKED_FOR_MS = 400;

const wayOf = (params: FaultParams): Way => NAMES.find((name) => params[name] !== undefined) as Way;

export const networkDegraded: FaultKind = {
  kind: 'network-degraded',
  refuse: (params, abilities) =>
    refuseNoCluster(abilities) ??
    checkParams(params, {
      component: { type: 'string', required: true },
      ...Object.fromEntries(NAMES.map((name) => [name, { type: 'number' as const, above: 0 }])),
    }) ??
    (NAMES.filter((name) => params[name] !== undefined).length === 1
      ? undefined
      : `expected one of ${NAMES.join(', ')}`) ??
    refuseComponent(params, abilities.cluster?.doors ?? [], abilities) ??
    refuseShaper(wayOf(params), abilities),
  undo: () => 'the Chaos Mesh object that degrades the network is deleted',
  probe: (params) => `${params.component}'s own answers show it: ${sign(params)}`,
  rights: (_params, cluster) => [chaosObject(cluster, 'networkchaos')],
  lasts: true,
  arm(name, params, drivers) {
    const cluster = required(drivers.cluster, 'the cluster');
    const component = String(params.component);
    const way = wayOf(params);
    const { action, spec } = WAYS[way];
    const amount = Number(params[way]);
    // The handshake is delayed, and so is the answer.
    const withinMs = ASKED_FOR_MS + (way === 'delayMs' ? 3 * amount : 0);
    const chaos: ChaosObject = {
      apiVersion: 'chaos-mesh.org/v1alpha1',
      kind: 'NetworkChaos',
      metadata: { name: `faultline-${name}` },
      spec: {
        ...{ action, mode: 'all', direction: 'to', [action]: spec(amount) },
        selector: { namespaces: [cluster.namespace], labelSelectors: cluster.labelsOf(component) },
      },
    };
    const questions = questionsOf(way);
    return {
      ...throughChaosMesh(cluster, chaos),
      async inject(allow, plannedMs) {
        allow(await cluster.impactOfPods(component));
        await cluster.inject(ending(chaos, plannedMs));
        return `${way} ${amount} of what ${component} sends`;
      },
      async probe() {
        const answers = await Promise.all(
          Array.from({ length: questions }, () => cluster.ask(component, withinMs)),
        );
        const whole = answers.filter((answer) => answer.whole);
        const quickest = Math.min(...whole.map(({ ms }) => ms));
        // All of them share the limit.
        const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
        const seconds = Math.max(...answers.map(({ ms }) => ms)) / 1000;
        const kbit = bytes / BYTES_PER_KBIT / seconds;
        // A component that gives no answer at all is gone, or cut off: neither is this fault there, nor is it gone.
        if (bytes === 0) throw new HarnessError(`${component} gives no answer at all`);
        const seen = {
          delayMs: whole.length > 0 && quickest > SEEN * amount,
          lossPercent: whole.length > 0 && whole.length < questions,
          bandwidthKbit: whole.length < questions && kbit < amount / SEEN,
        }[way];
        return {
          seen,
          detail: `${whole.length} of ${questions} answers whole, ${whole.length > 0 ? `the quickest after ${Math.round(quickest)} ms, ` : ''}${Math.round(kbit)} kbit/s`,
        };
      },
    };
  },
};

/** Three looks in a row must see the effect, and of little loss one look of few questions sees none. */
const questionsOf = (way: string) => (way === 'lossPercent' ? 3 * QUESTIONS : QUESTIONS);

/** Of what was asked for, so much must be seen. */
const SEEN = 0.7;

function sign(params: FaultParams): string {
  const way = wayOf(params);
  const amount = Number(params[way]);
  if (way === 'delayMs') return `the quickest of ${QUESTIONS} takes more than ${SEEN * amount} ms`;
  if (way === 'lossPercent') return `of ${questionsOf(way)} at once, some do not come in time, and some do`;
  return `${QUESTIONS} at once come at less than ${Math.round(amount / SEEN)} kbit/s, and not whole in time`;
}

function refuseShaper(way: Way, { cluster }: Abilities): string | undefined {
  const { shaper } = WAYS[way];
  if (cluster?.shapers.includes(shaper)) return undefined;
  return `${way} needs the queueing discipline ${shaper} (kernel module sch_${shaper}), which the nodes' kernel does not have`;
}
