import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import type {
  Answer,
  ChaosObject,
  ClusterDriver,
  ComponentDriver,
  Drivers,
  NetworkDriver,
  Reach,
} from '../drivers.ts';
import type { Abilities, FaultParams, Impact } from '../fault.ts';
import type { UndoOperation } from '../undo/operations.ts';
import { apiSlowed } from './api-slowed.ts';
import { brokerSplit } from './broker-split.ts';
import { buildsKilled } from './builds-killed.ts';
import { componentPartitioned } from './component-partitioned.ts';
import { componentStressed } from './component-stressed.ts';
import { componentUnstartable } from './component-unstartable.ts';
import { dnsGone } from './dns-gone.ts';
import { FAULTS } from './index.ts';
import { networkDegraded } from './network-degraded.ts';
import { nodeDrained } from './node-drained.ts';
import { nodeLost } from './node-lost.ts';
import { podKilled } from './pod-killed.ts';

const abilities: Abilities = {
  target: 'kind',
  components: ['builder', 'gateway', 'rabbitmq'],
  infrastructure: ['activator'],
  pausable: [],
  blackhole: [],
  throttle: false,
  objectStore: false,
  cluster: {
    namespace: 'lab',
    owners: {
      builder: { namespace: 'lab', resource: 'deployments' },
      activator: { namespace: 'serving', resource: 'deployments' },
    },
    workers: 2,
    cores: 2,
    machines: true,
    doors: ['builder'],
    shells: ['builder', 'receiver'],
    shapers: ['tbf'],
  },
};

/** Keeps what faults asked for, and answers kubectl from a table by its first words. */
function lab(answers: Record<string, string> = {}, reach: Reach['state'] = 'open') {
  const asked: string[] = [];
  const injected: ChaosObject[] = [];
  const rehearsed: ChaosObject[] = [];
  const lost: string[] = [];
  const answerMs: number[] = [];
  const first: Answer[] = [];
  const answer: Answer = { whole: true, bytes: 20_000, ms: 8 };
  const cluster: ClusterDriver = {
    namespace: 'lab',
    async kubectl(...args) {
      asked.push(args.join(' '));
      const told = Object.entries(answers).find(([begin]) => args.join(' ').startsWith(begin))?.[1];
      if (told !== undefined) return told;
      const [verb, kind, ...rest] = args;
      if (verb === 'delete' && kind === 'pod') return deleted(rest);
      const component = /^--selector=app=(.*)/.exec(rest[0] ?? '')?.[1];
      return verb === 'get' && component && rest[1]?.includes('deletionTimestamp')
        ? cluster
            .podsOf(component)
            .map((pod) => `${pod} Running []\n`)
            .join('')
        : '';
    },
    async inject(object) {
      injected.push(object);
    },
    async rehearse(object) {
      rehearsed.push(object);
    },
    recover: async () => {},
    labelsOf: (component) => ({ app: component }),
    podsOf: (component) => [`${component}-1`],
    impactOfPods: async (component) => ({
      pods: [{ namespace: 'lab', name: `${component}-1` }],
      nodes: [],
      workloads: [{ name: component, hit: 1, of: 1 }],
    }),
    impactOfNode: async (node) => ({ pods: [], nodes: [node], workloads: [] }),
    reach: async () => ({ state: reach, detail: reach }),
    shell: async () => '',
    undo: {
      delete: (object) => ({ op: 'delete-object', kubectl: 'k', kubeconfig: 'c', object }),
      scale: (object, replicas) => ({ op: 'scale-object', kubectl: 'k', kubeconfig: 'c', object, replicas }),
      patch: (object, { patch, field, value }) => ({
        ...{ op: 'patch-object', kubectl: 'k', kubeconfig: 'c', object, field, value },
        patch: JSON.stringify(patch),
      }),
      revive: (container) => ({ op: 'revive-node', container }),
      quicken: () => ({ op: 'unlimit-process', container: 'zero', process: 'kube-apiserver' }),
    },
    workers: [
      { name: 'one', address: '127.0.0.1' },
      { name: 'two', address: '127.0.0.1' },
    ],
    async lose(node) {
      lost.push(node);
    },
    revive: async () => {},
    async slowApi(share) {
      asked.push(`slow the API server to ${share}`);
    },
    quickenApi: async () => {},
    ask: async () => first.shift() ?? answer,
    apiAnswerMs: async () => answerMs.shift() ?? 8,
  };
  const components = {
    impact: (component) => cluster.impactOfPods(component),
    async rehearse(component) {
      asked.push(`scale ${component} to 0 --dry-run=server`);
    },
    undoOf: () => [],
    async hold(component) {
      asked.push(`scale ${component} to 0`);
      return '';
    },
    settings: (name) => ({
      ...{ object: `deployment/${name}`, container: name, image: 'registry/platform:1' },
      ...{ memoryLimit: '512Mi', memoryRequest: '128Mi' },
    }),
    probe: async () => ({ seen: true, detail: 'no answer' }),
  } as Partial<ComponentDriver> as ComponentDriver;
  const drivers: Drivers = { cluster, components };
  return { drivers, cluster, asked, injected, rehearsed, lost, answerMs, first, answer };
}

/** As kubectl answers with `--output=name`, when all of them are there. */
const deleted = (args: string[]) =>
  args.flatMap((arg) => (arg.startsWith('--') ? [] : [`pod/${arg}\n`])).join('');

describe('component-unstartable', () => {
  it.each([
    ['image', '{"image":"registry/platform:1"}', 'registry/platform:1'],
    ['crash', '{"command":null}', ''],
    ['memory', '{"resources":{"limits":{"memory":"512Mi"},"requests":{"memory":"128Mi"}}}', '512Mi'],
  ])('by %s: the undo has what was there, before anything is changed', (by, whole, value) => {
    const { drivers, asked } = lab();
    const { undo } = componentUnstartable.arm('it', { component: 'builder', by }, drivers);
    expect(asked).toEqual([]);
    expect(undo).toEqual([
      expect.objectContaining({
        ...{ op: 'patch-object', object: 'deployment/builder', value },
        patch: expect.stringContaining(whole.slice(1, -1)),
      }),
    ]);
  });

  it('is seen only when the pod says why it does not start', async () => {
    const silent = { component: 'builder', by: 'memory' };
    const other = lab({ 'get pods': 'ContainerCreating' });
    expect(await componentUnstartable.arm('it', silent, other.drivers).probe()).toMatchObject({
      seen: false,
    });
    const right = lab({ 'get pods': 'CrashLoopBackOff OOMKilled' });
    expect(await componentUnstartable.arm('it', silent, right.drivers).probe()).toMatchObject({ seen: true });
  });

  it('by crash: says that the command is not back, and not what it is or should be', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'faultline-unstartable-'));
    const kubectl = join(directory, 'kubectl');
    writeFileSync(kubectl, '#!/bin/sh\necho \'["hunter2"]\'\n', { mode: 0o755 });
    const { drivers, cluster } = lab();
    const { patch } = cluster.undo;
    cluster.undo.patch = (...args) => ({ ...patch(...args), kubectl }) as UndoOperation;
    const fault = componentUnstartable.arm('it', { component: 'builder', by: 'crash' }, drivers);
    expect(await fault.audit()).toEqual(['deployment/builder still has another command than it had']);
    rmSync(directory, { recursive: true });
  });

  it('refuses what it does not know', () => {
    const refuse = (params: Record<string, string>) => componentUnstartable.refuse(params, abilities);
    expect(refuse({ component: 'builder', by: 'magic' })).toMatch(/expected one of image, crash, memory/);
    expect(refuse({ component: 'rabbitmq', by: 'crash' })).toMatch(
      /can not do this to a component "rabbitmq"/,
    );
    expect(refuse({ component: 'builder', by: 'crash' })).toBeUndefined();
  });
});

describe('builds-killed', () => {
  const running = (...pods: string[]) => pods.map((pod) => `${pod} 2026-11-24T00:00:00Z\n`).join('');
  /** kubectl's answers, by which of the two questions about the build pods it is. */
  function kaniko(running: string, ended: string) {
    const answers = { running, ended };
    const of = lab();
    of.cluster.kubectl = async (...args) => {
      of.asked.push(args.join(' '));
      return args.join(' ').includes('exitCode') ? answers.ended : answers.running;
    };
    return { ...of, answers };
  }

  it('asks for Kaniko by its name: the kubelet sorts a pod’s containers, and the first may be another', async () => {
    const { drivers, asked } = kaniko(running('a-1'), 'a-1 137 Error\n');
    await buildsKilled.arm('it', {}, drivers).inject(() => {});
    expect(asked.length).toBeGreaterThan(1);
    for (const question of asked) {
      expect(question).toContain('.status.containerStatuses[?(@.name=="kaniko")].state.');
      expect(question).not.toContain('containerStatuses[0]');
    }
  });

  it('kills Kaniko in every build that runs, and is seen when one of them has ended by SIGKILL', async () => {
    const { drivers, injected } = kaniko(
      `${running('a-1', 'b-2')}c-3 \n`,
      'other 137 Error\na-1  \nb-2 137 Error\n',
    );
    const fault = buildsKilled.arm('it', {}, drivers);
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {}, 90_000);
    // It strikes once: there is nothing that could last.
    expect(injected[0]?.spec.duration).toBeUndefined();
    expect(injected[0]?.spec).toMatchObject({
      action: 'container-kill',
      containerNames: ['kaniko'],
      selector: { pods: { lab: ['a-1', 'b-2'] } },
    });
    expect(await fault.probe()).toMatchObject({
      seen: true,
      detail: expect.stringContaining('by SIGKILL: b-2,'),
    });
    await fault.revert();
    expect((await fault.probe()).seen).toBe(false);
    expect(fault.undo).toMatchObject([{ object: 'podchaos.chaos-mesh.org/faultline-it' }]);
  });

  it.each([
    ['failed by itself', '1 Error'],
    ['ran out of memory', '137 OOMKilled'],
    ['was deleted', '137 Error2026-11-24T00:00:00Z'],
    ['was done', '0 Completed'],
  ])(
    'takes the next ones when these were over before it came, which Chaos Mesh then tries to kill for ever: one %s',
    async (_what, how) => {
      const { drivers, cluster, injected, answers } = kaniko(
        running('a-1', 'b-2'),
        `a-1 0 Completed\nb-2 ${how}\n`,
      );
      let giveUp = () => {};
      cluster.inject = async (object) => {
        injected.push(object);
        if (injected.length === 1)
          await new Promise<void>((_resolve, reject) => {
            giveUp = () => reject(new Error('not found'));
          });
      };
      cluster.recover = async () => {
        giveUp();
        answers.running = running('c-1');
        answers.ended = 'c-1 137 Error\n';
      };
      expect(await buildsKilled.arm('it', {}, drivers).inject(() => {})).toBe('SIGKILL to Kaniko in c-1');
    },
  );

  it('says what Chaos Mesh said when it does not kill what is at work', async () => {
    const { drivers, cluster } = kaniko(running('a-1', 'b-2'), 'a-1  \nb-2 0 Completed\n');
    cluster.inject = () => Promise.reject(new Error('AllInjected=False'));
    await expect(buildsKilled.arm('it', {}, drivers).inject(() => {})).rejects.toThrow('AllInjected=False');
  });
});

describe('broker-split', () => {
  it('cuts one node from the others, and is seen as silence alone', async () => {
    const { drivers, injected } = lab({}, 'silent');
    const fault = brokerSplit.arm('cut', {}, drivers);
    await fault.inject(() => {});
    expect(injected[0]?.spec).toMatchObject({
      selector: { labelSelectors: { 'statefulset.kubernetes.io/pod-name': 'rabbitmq-0' } },
      target: { selector: { expressionSelectors: [{ operator: 'NotIn', values: ['rabbitmq-0'] }] } },
    });
    expect((await fault.probe()).seen).toBe(true);
    expect((await brokerSplit.arm('cut', {}, lab({}, 'refused').drivers).probe()).seen).toBe(false);
    expect(fault.undo).toMatchObject([{ object: 'networkchaos.chaos-mesh.org/faultline-cut' }]);
  });
});

describe('node-lost', () => {
  it('loses the node of the component, with the undo of every worker on disk before', async () => {
    const { drivers, lost } = lab({ 'get pod gateway-1': 'two' });
    const fault = nodeLost.arm('it', { of: 'gateway' }, drivers);
    expect(fault.undo).toMatchObject([{ container: 'one' }, { container: 'two' }]);
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {});
    expect(lost).toEqual(['two']);
  });

  it('says so when the component does not run on a worker', async () => {
    const { drivers } = lab({ 'get pod gateway-1': 'control-plane' });
    await expect(nodeLost.arm('it', { of: 'gateway' }, drivers).inject(() => {})).rejects.toThrow(
      /no worker/,
    );
  });
});

describe('node-drained', () => {
  it('drains the node of the component, and is seen when it is closed and empty', async () => {
    const answers = { 'get pods --selector=app=gateway': 'one', 'get node one': 'true' };
    const { drivers, asked } = lab(answers);
    const fault = nodeDrained.arm('it', { of: 'gateway' }, drivers);
    await fault.prepare?.();
    // Not of the other: its owner may close it meanwhile.
    expect(fault.undo).toMatchObject([{ object: 'node/one' }]);
    await fault.inject(() => {});
    expect(asked.at(-1)).toMatch(/^drain one --ignore-daemonsets/);
    expect(await fault.probe()).toMatchObject({
      seen: false,
      detail: 'one takes no pods, 1 of gateway on it',
    });
    answers['get pods --selector=app=gateway'] = 'two';
    expect((await fault.probe()).seen).toBe(true);
    answers['get node one'] = '';
    expect((await fault.probe()).seen).toBe(false);
    await fault.revert();
    expect(asked.at(-1)).toBe('uncordon one');
  });
});

describe('node-drained closes the node before it counts what goes with it', () => {
  const onOne = { 'get pods --selector=app=gateway': 'one' };
  /** Impact, and refusal, of each look. */
  async function drained(answers: Record<string, string>, looks: Impact['pods'][], refuse: string[]) {
    const { drivers, cluster, asked } = lab({ ...onOne, ...answers });
    cluster.impactOfNode = async (node) => {
      asked.push('look');
      return { pods: looks.shift() ?? [], nodes: [node], workloads: [] };
    };
    const fault = nodeDrained.arm('it', { of: 'gateway' }, drivers);
    const injection = fault.inject(({ pods }) => {
      if (pods.some(({ name }) => refuse.includes(name))) throw new Error('not allowed');
    });
    const said = await injection.catch((error: Error) => error);
    return { fault, asked, said, acts: asked.filter((command) => !command.startsWith('get ')) };
  }

  it('so that what came meanwhile is counted, and opens it again when that is not allowed', async () => {
    const mine = { namespace: 'lab', name: 'mine' };
    const late = { namespace: 'payments', name: 'late' };
    const whole = await drained({}, [[mine], [mine]], []);
    expect(whole.acts).toEqual(['look', 'cordon one', 'look', expect.stringMatching(/^drain one /)]);
    const refused = await drained({}, [[mine], [mine, late]], ['late']);
    expect(refused.said).toMatchObject({ message: 'not allowed' });
    expect(refused.acts).toEqual(['look', 'cordon one', 'look', 'uncordon one']);
    // Nothing is there to be reverted any more.
    await refused.fault.revert();
    expect(refused.asked.at(-1)).toBe('uncordon one');
  });

  it('and takes a pod that nobody would make again from the run’s own namespace only', async () => {
    const all = 'get pods --all-namespaces --field-selector=spec.nodeName=one';
    const owned = 'lab/web-1 Running [ReplicaSet]\npayments/web-1 Pending [StatefulSet]\n';
    expect((await drained({ [all]: owned }, [], [])).acts.at(-1)).not.toContain('--force');
    expect((await drained({ [all]: `${owned}lab/bare Running []\n` }, [], [])).acts.at(-1)).toMatch(
      /^drain one .*--force/,
    );
    const stranger = await drained({ [all]: `${owned}payments/bare Running []\n` }, [], []);
    expect(stranger.said).toBeInstanceOf(EvidenceError);
    expect((stranger.said as Error).message).toMatch(/payments\/bare/);
    expect(stranger.acts).toEqual(['look']);
  });

  it('and says which ended pods of others it would delete', async () => {
    const all = 'get pods --all-namespaces --field-selector=spec.nodeName=one';
    const ended =
      'lab/build-1 Succeeded [Job]\npayments/report-1 Succeeded []\nkube-system/p Failed [DaemonSet]\n';
    expect((await drained({ [all]: ended }, [], [])).acts.at(-1)).toMatch(/^drain one /);
    expect(await drained({ [all]: ended }, [], ['build-1', 'p'])).not.toMatchObject({
      said: expect.any(Error),
    });
    expect((await drained({ [all]: ended }, [], ['report-1'])).said).toMatchObject({
      message: 'not allowed',
    });
  });
});

it('component-stressed takes what the component uses by itself for no stress', async () => {
  const { drivers, injected } = lab();
  const cluster = drivers.cluster as ClusterDriver;
  const uses = (cores: number) => {
    cluster.shell = async () => `1000000000\n5000\n2000000000\n${5000 + cores * 1e9}\n`;
  };
  const fault = componentStressed.arm('it', { component: 'builder', workers: 1 }, drivers);
  uses(0.5);
  await fault.inject(() => {});
  expect(injected).toHaveLength(1);
  expect(await fault.probe()).toEqual({ seen: false, detail: 'builder-1 uses 0.50 cores, 0.50 before' });
  uses(1.2);
  expect((await fault.probe()).seen).toBe(true);
  // Works off what waited, after the revert: its own work again.
  uses(0.7);
  expect((await fault.probe()).seen).toBe(false);
});

describe('what is found is what is put back', () => {
  it('a node that its owner has closed stays closed, and is not drained', async () => {
    const answers = { 'get pods --selector=app=gateway': 'one two', 'get nodes': 'one' };
    const { drivers, asked } = lab(answers);
    const fault = nodeDrained.arm('it', { of: 'gateway' }, drivers);
    await fault.rehearse?.();
    expect(asked.at(-1)).toMatch(/^drain two .*--dry-run=server/);
    // Closed since the rehearsal.
    answers['get nodes'] = 'two';
    await fault.prepare?.();
    expect(fault.undo).toMatchObject([{ object: 'node/one' }]);
    answers['get nodes'] = 'one';
    await fault.prepare?.();
    expect(fault.undo).toMatchObject([{ object: 'node/two' }]);
    await fault.inject(() => {});
    expect(asked.at(-1)).toMatch(/^drain two /);
  });

  it('DNS gets back as many replicas as it had', async () => {
    const answers = { 'get deployment/coredns': '3' };
    const { drivers, asked } = lab(answers);
    const fault = dnsGone.arm('it', {}, drivers);
    await fault.prepare?.();
    expect(fault.undo).toMatchObject([{ replicas: 3 }]);
    // Somebody has been there first.
    await fault.revert();
    expect(asked.some((call) => call.startsWith('scale'))).toBe(false);
    answers['get deployment/coredns'] = '0';
    await fault.revert();
    expect(asked.at(-1)).toMatch(/^scale deployment\/coredns --replicas=3/);
  });

  it('DNS is counted by what it is to have: what is missing serves nobody already', async () => {
    const answers = { 'get deployment/coredns': '3', 'get pods --selector=k8s-app=kube-dns': 'pod/dns-1\n' };
    const { drivers } = lab(answers);
    const fault = dnsGone.arm('it', {}, drivers);
    await fault.prepare?.();
    const impacts: Impact[] = [];
    await fault.inject((impact) => void impacts.push(impact));
    expect(impacts[0]?.workloads).toEqual([{ name: 'kube-system/coredns', hit: 1, unready: 2, of: 3 }]);
  });

  it('DNS whose pods nobody finds is left alone: the guardrails would not hear of them', async () => {
    const { drivers, asked } = lab({ 'get pods --selector=k8s-app=kube-dns': '' });
    const allowed = vi.fn();
    await expect(dnsGone.arm('it', {}, drivers).inject(allowed)).rejects.toThrow(/no pod with the label/);
    expect(allowed).not.toHaveBeenCalled();
    expect(asked.some((call) => call.startsWith('scale'))).toBe(false);
  });
});

describe('pod-killed', () => {
  it('kills again and again until the revert', async () => {
    const { drivers, asked } = lab();
    const fault = podKilled.arm('it', { component: 'builder', everySeconds: 0.02 }, drivers);
    await fault.inject(() => {});
    await expect.poll(() => asked.length).toBeGreaterThan(2);
    await fault.revert();
    const { length } = asked;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(asked.length).toBe(length);
    expect(asked.find((call) => call.startsWith('delete'))).toContain(
      'delete pod builder-1 --grace-period=0 --force',
    );
  });

  it('does not count it as failed that the end has overtaken a further kill', async () => {
    const { drivers } = lab();
    const fault = podKilled.arm('it', { component: 'builder', everySeconds: 0.02 }, drivers);
    let over = false;
    const late = Promise.withResolvers<void>();
    await fault.inject(() => {
      if (over) throw new HarnessError('the time of fault x is over');
    });
    const { impactOfPods } = drivers.cluster as ClusterDriver;
    const asked = Promise.withResolvers<void>();
    (drivers.cluster as ClusterDriver).impactOfPods = async (...of) => {
      asked.resolve();
      await late.promise;
      return impactOfPods(...of);
    };
    await asked.promise;
    over = true;
    const reverting = fault.revert();
    late.resolve();
    await expect(reverting).resolves.toBeUndefined();
  });

  it('asks who is there when it kills: who watches pods may have been blind for a while', async () => {
    const there = 'a-1 Running []\na-2 Pending []\na-3 Running [2026-11-24T00:00:00Z]\na-4 Succeeded []\n';
    const { drivers, cluster } = lab({ 'get pods --selector=app=builder': there });
    cluster.podsOf = () => ['gone-1', 'a-1'];
    const impacts: string[][] = [];
    cluster.impactOfPods = async (_component, names = []) => {
      impacts.push(names);
      return { pods: [], nodes: [], workloads: [] };
    };
    const fault = podKilled.arm('it', { component: 'builder' }, drivers);
    expect(await fault.inject(() => {})).toBe('deleted without grace: a-1, a-2');
    expect(impacts).toEqual([['a-1', 'a-2']]);
  });

  it('tells of those that were deleted, and not of those that were gone by then', async () => {
    const two = { 'get pods --selector=app=builder': 'a-1 Running []\na-2 Running []\n' };
    const one = lab({ ...two, 'delete pod': 'pod/a-2\n' });
    expect(await podKilled.arm('it', { component: 'builder' }, one.drivers).inject(() => {})).toBe(
      'deleted without grace: a-2; gone before: a-1',
    );
    // kubectl ends well, and says nothing.
    const none = lab({ ...two, 'delete pod': '' });
    const inject = podKilled.arm('it', { component: 'builder' }, none.drivers).inject(() => {});
    await expect(inject).rejects.toThrow(EvidenceError);
    await expect(inject).rejects.toThrow(/a-1, a-2 of builder were gone before: nobody was killed/);
  });

  it.each([
    ['builder', { component: 'builder' }],
    ['the one broker node', { component: 'rabbitmq' }],
  ])('kills nobody where %s has no pod', async (_what, params) => {
    const none = 'other-1 Running [2026-11-24T00:00:00Z]\n';
    const { drivers, asked } = lab({ 'get pods --selector=app=': none });
    const allowed = vi.fn();
    await expect(podKilled.arm('it', params, drivers).inject(allowed)).rejects.toThrow(EvidenceError);
    expect(asked.some((call) => call.startsWith('delete'))).toBe(false);
    expect(allowed).not.toHaveBeenCalled();
  });
});

it('pod-killed takes the leader alone, and sees that there is none until another holds the Lease', async () => {
  const answers = { 'get leases': 'other-9_x builder-2_0f1e' };
  const { drivers, asked } = lab(answers);
  const cluster = drivers.cluster as ClusterDriver;
  let there = ['builder-1', 'builder-2'];
  cluster.podsOf = () => there;
  const fault = podKilled.arm('it', { component: 'builder', which: 'leader' }, drivers);
  expect(await fault.probe()).toEqual({ seen: false, detail: 'builder-2 holds the Lease and is there' });
  await fault.inject(() => {});
  expect(asked.at(-1)).toMatch(/^delete pod builder-2 --grace-period=0/);
  there = ['builder-1', 'builder-3'];
  expect((await fault.probe()).seen).toBe(true);
  answers['get leases'] = 'builder-1_77aa';
  expect((await fault.probe()).seen).toBe(false);
  answers['get leases'] = 'other-9_x';
  await expect(fault.probe()).rejects.toThrow(/no pod of builder holds a Lease/);
});

it('pod-killed says when it could not kill again', async () => {
  const { drivers } = lab();
  const cluster = drivers.cluster as ClusterDriver;
  const fault = podKilled.arm('it', { component: 'builder', everySeconds: 0.01 }, drivers);
  await fault.inject(() => {});
  const failed = vi.fn().mockRejectedValue(new Error('forbidden'));
  cluster.kubectl = failed;
  await expect.poll(() => failed.mock.calls.length).toBeGreaterThan(1);
  await expect(fault.revert()).rejects.toThrow('it could not be killed again: forbidden');
});

it('dns-gone takes a pod that it did not get into for no answer', async () => {
  const { drivers } = lab();
  const cluster = drivers.cluster as ClusterDriver;
  const fault = dnsGone.arm('it', {}, drivers);
  cluster.shell = async () => 'error: timed out waiting for the condition';
  await expect(fault.probe()).rejects.toThrow(/could not look from receiver-1/);
  cluster.shell = async () => '10.0.0.1 rabbitmq\ncode=0\n';
  expect((await fault.probe()).seen).toBe(false);
  cluster.shell = async () => 'code=2\n';
  expect((await fault.probe()).seen).toBe(true);
});

describe('a Chaos Mesh object', () => {
  it.each([
    ['broker-split', {}],
    ['component-stressed', { component: 'builder', workers: 1 }],
    ['network-degraded', { component: 'builder', bandwidthKbit: 64 }],
  ])('of %s ends by itself when nobody is left to delete it', async (kind, params) => {
    const { drivers, cluster, injected, rehearsed } = lab();
    cluster.shell = async () => '1000000000\n5000\n2000000000\n5000\n';
    const fault = FAULTS.get(kind)?.arm('it', params as FaultParams, drivers);
    await fault?.rehearse?.();
    await fault?.inject(() => {}, 90_500);
    expect(injected).toMatchObject([{ spec: { duration: '691s' } }]);
    expect(rehearsed).toMatchObject([{ spec: { duration: '600s' } }]);
  });

  it('of a cut between platform and component too: its driver is told for how long', async () => {
    const blackhole = vi.fn();
    const network = {
      impact: async () => ({ pods: [], nodes: [], workloads: [] }),
      undoOf: () => ({ op: 'delete-nft-table', table: 't' }),
      blackhole,
      address: () => ({ host: 'h', port: 1 }),
    } as Partial<NetworkDriver> as NetworkDriver;
    const fault = componentPartitioned.arm('cut', { component: 'rabbitmq' }, { network });
    await fault.inject(() => {}, 90_500);
    expect(blackhole).toHaveBeenCalledWith('cut', 'rabbitmq', 90_500);
  });
});

describe('a fault that is not allowed to act', () => {
  const params: Record<string, FaultParams> = {
    'component-killed': { component: 'builder' },
    'component-unstartable': { component: 'builder', by: 'crash' },
    'component-stressed': { component: 'builder', workers: 1 },
    'pod-killed': { component: 'builder', everySeconds: 0.01 },
    'node-lost': { of: 'gateway' },
    'node-drained': { of: 'gateway' },
    'builds-killed': {},
    'broker-split': {},
    'dns-gone': {},
    'api-slowed': { cpuPercent: 5 },
    'network-degraded': { component: 'builder', bandwidthKbit: 64 },
  };
  const onCluster = [...FAULTS.values()].filter(
    ({ kind, refuse }) => refuse(params[kind] ?? {}, abilities) === undefined,
  );

  it('is every one that this cluster can have', () => {
    expect(onCluster.map(({ kind }) => kind).sort()).toEqual(Object.keys(params).sort());
  });

  it.each(onCluster.map((fault) => [fault.kind, fault] as const))('%s does nothing', async (kind, fault) => {
    const { drivers, asked, injected, lost } = lab({
      'get pods --selector=app=gateway': 'two',
      'get pods --selector=app=builder': 'builder-1 Running []\n',
      'get pods': 'a-build-1-x 2026-11-24T00:00:00Z\n',
      'get pod gateway-1': 'two',
    });
    const impacts: Impact[] = [];
    const refusal = fault.arm('it', params[kind] as FaultParams, drivers).inject((impact) => {
      impacts.push(impact);
      throw new Error('not allowed');
    });
    await expect(refusal).rejects.toThrow('not allowed');
    expect(impacts).toHaveLength(1);
    expect((impacts[0]?.pods.length ?? 0) + (impacts[0]?.nodes.length ?? 0)).toBeGreaterThan(0);
    expect([asked.filter((command) => !command.startsWith('get ')), injected, lost]).toEqual([[], [], []]);
  });
});

describe('api-slowed', () => {
  it('is seen when three answers are slow, not when one is late', async () => {
    const { drivers, asked, answerMs } = lab();
    const fault = apiSlowed.arm('it', { cpuPercent: 5 }, drivers);
    await fault.inject(() => {});
    expect(asked.at(-1)).toBe('slow the API server to 0.05');
    answerMs.push(300, 20);
    expect(await fault.probe()).toMatchObject({ seen: false });
    answerMs.push(300, 120, 450);
    expect(await fault.probe()).toEqual({ seen: true, detail: 'the quickest answer took 120 ms' });
    expect(fault.undo).toMatchObject([{ op: 'unlimit-process' }]);
  });
});

describe('network-degraded', () => {
  it('refuses what the kernel of the nodes can not do, and what is not one thing', () => {
    const refuse = (params: FaultParams) =>
      networkDegraded.refuse({ component: 'builder', ...params }, abilities);
    expect(refuse({ bandwidthKbit: 64 })).toBeUndefined();
    expect(refuse({ delayMs: 100 })).toMatch(/delayMs needs the queueing discipline netem/);
    expect(refuse({ delayMs: 100, bandwidthKbit: 64 })).toMatch(/expected one of delayMs, lossPercent/);
    expect(refuse({})).toMatch(/expected one of/);
  });

  it.each([
    ['bandwidthKbit', 64, { whole: false, bytes: 300, ms: 400 }, 'bandwidth', { rate: '8000bps' }],
    ['delayMs', 200, { whole: true, bytes: 20_000, ms: 205 }, 'delay', { latency: '200ms' }],
    ['lossPercent', 30, { whole: false, bytes: 0, ms: 400 }, 'loss', { loss: '30' }],
  ])('%s is seen by the answers, not by the injector', async (way, amount, bad, action, spec) => {
    const { drivers, injected, answer, first } = lab();
    const fault = networkDegraded.arm('it', { component: 'builder', [way]: amount }, drivers);
    await fault.inject(() => {});
    expect(injected[0]?.spec).toMatchObject({ action, [action]: spec });
    expect(await fault.probe()).toMatchObject({ seen: false });
    // One of ten is lost; the others are late or slow.
    if (way === 'lossPercent') first.push(bad);
    else Object.assign(answer, bad);
    expect(await fault.probe()).toMatchObject({ seen: true });
  });

  it.each(['bandwidthKbit', 'delayMs', 'lossPercent'])(
    '%s is neither seen nor gone where the component is gone, or stands still: that is another fault',
    async (way) => {
      const { drivers, answer } = lab();
      const fault = networkDegraded.arm('it', { component: 'builder', [way]: 30 }, drivers);
      Object.assign(answer, { whole: false, bytes: 0, ms: 1 });
      await expect(fault.probe()).rejects.toThrow(/gives no answer at all/);
      Object.assign(answer, { whole: false, bytes: 0, ms: 400 });
      await expect(fault.probe()).rejects.toThrow(/gives no answer at all/);
    },
  );
});

describe('component-stressed', () => {
  it('takes either processor time or memory', () => {
    const refuse = (params: FaultParams) =>
      componentStressed.refuse({ component: 'builder', ...params }, abilities);
    expect(refuse({})).toMatch(/expected either workers \(processor\) or memoryMiB/);
    expect(refuse({ workers: 1, memoryMiB: 100 })).toMatch(/expected either/);
    expect(refuse({ memoryMiB: 100 })).toBeUndefined();
  });

  it('is seen when the container holds what was to be taken', async () => {
    const { drivers, injected } = lab();
    const cluster = drivers.cluster as ClusterDriver;
    const fault = componentStressed.arm('it', { component: 'builder', memoryMiB: 100 }, drivers);
    const holds = (mib: number) => {
      cluster.shell = async () => `${mib * 2 ** 20}\n`;
    };
    // Its own, which is no effect.
    holds(200);
    expect(await fault.probe()).toMatchObject({ seen: false });
    await fault.inject(() => {});
    expect(injected[0]?.spec).toMatchObject({
      stressors: { cpu: { options: expect.arrayContaining(['--vm-bytes 100M']) } },
    });
    holds(280);
    expect(await fault.probe()).toEqual({
      seen: false,
      detail: 'builder-1 holds 280 MiB, 80 more than before',
    });
    holds(320);
    expect(await fault.probe()).toMatchObject({ seen: true });
    cluster.shell = async () => 'error: unable to upgrade connection';
    await expect(fault.probe()).rejects.toThrow(/builder-1 could not be asked: error: unable to upgrade/);
  });

  it('counts the processor time of the time that really lay between', async () => {
    const { drivers } = lab();
    const cluster = drivers.cluster as ClusterDriver;
    const fault = componentStressed.arm('it', { component: 'builder', workers: 1 }, drivers);
    const used = (nanoseconds: number, within: number) => {
      cluster.shell = async () => `1000000000\n500\n${1e9 + within}\n${500 + nanoseconds}\n`;
    };
    used(0.2e9, 0.3e9);
    expect(await fault.probe()).toEqual({ seen: true, detail: 'builder-1 uses 0.67 cores, 0.00 before' });
    used(0.2e9, 1e9);
    expect(await fault.probe()).toEqual({ seen: false, detail: 'builder-1 uses 0.20 cores, 0.00 before' });
  });
});

describe('a rehearsal', () => {
  it.each([
    ['component-killed', { component: 'builder' }],
    ['component-unstartable', { component: 'builder', by: 'memory' }],
    ['component-stressed', { component: 'builder', workers: 1 }],
    ['builds-killed', {}],
    ['broker-split', {}],
    ['dns-gone', {}],
    ['pod-killed', { component: 'builder' }],
    ['node-drained', { of: 'gateway' }],
  ])('of %s asks the server, and changes nothing', async (kind, params) => {
    const { drivers, asked, injected, rehearsed } = lab({ 'get pods': 'one' });
    await FAULTS.get(kind)
      ?.arm('it', params as FaultParams, drivers)
      .rehearse?.();
    const acts = asked.filter((command) => !command.startsWith('get '));
    expect(acts.length + rehearsed.length).toBe(1);
    expect(acts.filter((command) => !command.endsWith('--dry-run=server'))).toEqual([]);
    expect(injected).toEqual([]);
  });
});
