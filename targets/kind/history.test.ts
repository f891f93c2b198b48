import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CoreV1Event } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeApi, fakeApi } from './fake-api.ts';
import { isOfRun, keepHistory, lineOf, podState } from './history.ts';

it('writes a pod as it is: where, and each of its containers', () => {
  const container = { image: '', imageID: '', ready: false, restartCount: 0 };
  expect(
    podState({
      metadata: { name: 'it' },
      spec: { nodeName: 'w1', containers: [] },
      status: {
        phase: 'Pending',
        initContainerStatuses: [
          { ...container, name: 'first', state: { terminated: { exitCode: 0, reason: 'Completed' } } },
        ],
        containerStatuses: [
          { ...container, name: 'main', state: { waiting: { reason: 'ImagePullBackOff' } } },
        ],
      },
    }),
  ).toBe('Pending on w1; first Completed, code 0; main ImagePullBackOff');
  expect(podState({ metadata: { deletionTimestamp: new Date() } })).toBe('Terminating on no node');
});

it('writes an event with its own instant, on one line', () => {
  const event = {
    metadata: {},
    ...{ type: 'Warning', reason: 'BackOff', message: 'Back-off\nrestarting', count: 3 },
    lastTimestamp: new Date('2026-01-01T00:00:01Z'),
    involvedObject: { kind: 'Pod', namespace: 'lab', name: 'it' },
  } as CoreV1Event;
  expect(lineOf(event)).toBe(
    '2026-01-01T00:00:01.000Z Warning pod/lab/it BackOff: Back-off restarting (3 times)',
  );
});

it.each([
  ['Pod', 'lab', true],
  ['Pod', 'knative-serving', true],
  ['Deployment', 'kube-system', true],
  ['Pod', 'chaos-mesh', true],
  ['NetworkChaos', 'lab', true],
  ['Node', undefined, true],
  ['Node', '', true],
  ['Pod', 'payments', false],
  ['Pod', 'default', false],
  ['PersistentVolume', undefined, false],
])(
  'keeps what is told of the run and what it stands on, and nothing of others: %s in %s',
  (kind, namespace, kept) => {
    const involvedObject = { kind, name: 'it', ...(namespace === undefined ? {} : { namespace }) };
    expect(isOfRun({ metadata: {}, involvedObject } as CoreV1Event, 'lab', new Set())).toBe(kept);
  },
);

describe('of where faults act', () => {
  let api: FakeApi;
  let directory: string;
  beforeEach(async () => {
    api = await fakeApi();
    directory = mkdtempSync(join(tmpdir(), 'faultline-history-'));
  });
  afterEach(async () => {
    await api.close();
    rmSync(directory, { recursive: true });
  });
  const event = (namespace: string, name: string) => ({
    metadata: { name, uid: name, creationTimestamp: new Date().toISOString(), resourceVersion: name },
    ...{ type: 'Normal', reason: 'Killing', message: 'Stopping container' },
    involvedObject: { kind: 'Pod', namespace, name },
  });
  const told = () => readFileSync(join(directory, 'events.txt'), 'utf8');

  it('keeps events from the moment when a fault reaches a namespace, and not what others do before', async () => {
    const reached = new Set(['kube-system']);
    const history = await keepHistory(api.kubeconfig, 'lab', directory, reached);
    await expect.poll(() => api.watches).toBe(1);
    api.tell('ADDED', event('payments', '2'));
    api.tell('ADDED', event('kube-system', '3'));
    await expect.poll(told).toContain('pod/kube-system/3 Killing');
    reached.add('payments');
    api.tell('ADDED', event('payments', '4'));
    await expect.poll(told).toContain('pod/payments/4 Killing');
    expect(told()).not.toContain('payments/2');
    await history.stop();
  });

  it('asks for each namespace where it may not see all, and does without those that it may not see', async () => {
    api.forbidden = (path) => path === '/api/v1/events' || path.includes('/chaos-mesh/');
    const history = await keepHistory(api.kubeconfig, 'lab', directory, new Set(['payments']));
    await expect.poll(() => api.watches).toBe(4);
    expect(api.watched.sort()).toEqual(
      ['kube-system', 'knative-serving', 'lab', 'payments']
        .sort()
        .map((namespace) => `/api/v1/namespaces/${namespace}/events`),
    );
    await history.stop();
  });

  it('tells at the end what nobody could see, and goes on without it', async () => {
    api.forbidden = (path) => path.endsWith('/events');
    const history = await keepHistory(api.kubeconfig, 'lab', directory, new Set());
    expect(await history.stop()).toEqual([
      {
        file: 'events.txt',
        reason: expect.stringMatching(
          /^the kubeconfig's user may not list and watch events of namespace lab: .*403/,
        ),
      },
    ]);
  });

  it('tells when a watch was away at the end, and nothing when all was seen', async () => {
    const whole = await keepHistory(api.kubeconfig, 'lab', directory, new Set());
    expect(await whole.stop()).toEqual([]);
    const history = await keepHistory(api.kubeconfig, 'lab', directory, new Set());
    api.status.watch = 503;
    api.cut();
    await new Promise((resolve) => setTimeout(resolve, 5500));
    expect(await history.stop()).toEqual([
      { file: 'events.txt', reason: expect.stringMatching(/^nobody has seen events for the last \d+ s$/) },
    ]);
  });

  it('tells of files that can not be written', async () => {
    const history = await keepHistory(api.kubeconfig, 'lab', join(directory, 'not-there'), new Set());
    expect((await history.stop()).map(({ file, reason }) => [file, reason.slice(0, 6)])).toEqual([
      ['pods.txt', 'ENOENT'],
      ['events.txt', 'ENOENT'],
    ]);
  });
});
