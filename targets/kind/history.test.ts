import type { CoreV1Event } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import { lineOf, podState } from './history.ts';

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
