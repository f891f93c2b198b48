import type { CoreV1Event } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import { isOfRun, lineOf, podState } from './history.ts';

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
    expect(isOfRun({ metadata: {}, involvedObject } as CoreV1Event, 'lab')).toBe(kept);
  },
);
