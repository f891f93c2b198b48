import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import type { ComponentEvent } from '../target.ts';
import { tellChanges } from './pods.ts';

it('tells each container that ended, also one that nobody saw running', () => {
  const told: ComponentEvent[] = [];
  const lives = { running: new Set<string>(), ended: new Set<string>() };
  const see = (status: Partial<V1ContainerStatus>) => {
    const whole = { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, ...status };
    tellChanges({ status: { containerStatuses: [whole] } } as V1Pod, 'builder', lives, (e) => told.push(e));
  };
  const ended = (containerID: string, reason: string) => ({
    terminated: { exitCode: 137, reason, containerID },
  });
  see({ containerID: 'a', state: { running: {} } });
  see({ containerID: 'a', state: ended('a', 'Error') });
  see({ containerID: 'b', state: { waiting: {} }, lastState: ended('b', 'OOMKilled') });
  see({ containerID: 'b', state: { waiting: {} }, lastState: ended('b', 'OOMKilled') });
  expect(told.map((e) => [e.type, 'signal' in e ? e.signal : undefined])).toEqual([
    ['started', undefined],
    ['exited', null],
    ['exited', 'OOMKilled'],
  ]);
});
