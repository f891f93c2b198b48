import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import type { ComponentEvent } from '../target.ts';
import { fakeApi } from './fake-api.ts';
import { tellChanges, watchPods } from './pods.ts';

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

it('does not begin where pods may not be watched: none would look like an idle platform', async () => {
  const api = await fakeApi();
  const logDirectory = mkdtempSync(join(tmpdir(), 'faultline-pods-'));
  api.status.list = 403;
  await expect(watchPods(api.kubeconfig, 'lab', {}, { onEvent: () => {}, logDirectory })).rejects.toThrow(
    /may not list and watch pods of namespace lab/,
  );
  await api.close();
  rmSync(logDirectory, { recursive: true });
});
