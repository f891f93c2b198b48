import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { ComponentEvent } from '../target.ts';
import { fakeApi } from './fake-api.ts';
import { tellChanges, tellEnd, watchPods } from './pods.ts';

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

it('tells of every container of a pod, and which one it was: the kubelet sorts them by name', () => {
  const told: ComponentEvent[] = [];
  const lives = { running: new Set<string>(), ended: new Set<string>() };
  const whole = { image: '', imageID: '', ready: false, restartCount: 0 };
  const pod = (...containerStatuses: V1ContainerStatus[]) => ({ status: { containerStatuses } }) as V1Pod;
  const besides = { ...whole, name: 'agent', containerID: 'x', state: { running: {} } };
  const main = { ...whole, name: 'main' };
  const killed = { terminated: { exitCode: 137, reason: 'OOMKilled', containerID: 'a' } };
  const tell = (event: ComponentEvent) => told.push(event);
  tellChanges(pod(besides, { ...main, containerID: 'a', state: { running: {} } }), 'builder', lives, tell);
  tellChanges(pod(besides, { ...main, containerID: 'a', state: killed }), 'builder', lives, tell);
  const last = pod(besides, { ...main, containerID: 'b', state: { running: {} }, lastState: killed });
  tellChanges(last, 'builder', lives, tell);
  tellEnd(last, 'builder', lives, tell);
  const common = { component: 'builder', pid: 0 };
  const gone = { ...common, type: 'exited', code: null, signal: 'deleted', expected: true };
  expect(told).toEqual([
    { ...common, type: 'started', container: 'agent' },
    { ...common, type: 'started', container: 'main' },
    { ...common, type: 'exited', container: 'main', code: 137, signal: 'OOMKilled', expected: false },
    { ...common, type: 'started', container: 'main' },
    { ...gone, container: 'agent' },
    { ...gone, container: 'main' },
  ]);
});

describe('the watch', () => {
  it('says for how long nobody has seen the pods: what it has is from before', async () => {
    const api = await fakeApi();
    const logDirectory = mkdtempSync(join(tmpdir(), 'faultline-pods-'));
    const function1 = (phase: string, resourceVersion: string) => ({
      metadata: { name: 'fn-1-a', resourceVersion, labels: { 'serving.knative.dev/service': 'fn-1' } },
      status: { phase },
    });
    // Whatever is asked for, it has one list, and events are no pods.
    api.forbidden = (path) => path.includes('events');
    api.items = [function1('Running', '1')];
    const watch = await watchPods(api.kubeconfig, 'lab', {}, { onEvent: () => {}, logDirectory });
    expect(watch.functions()).toEqual(new Map([['fn-1', 1]]));
    expect(watch.unseenMs()).toBe(0);
    const began = performance.now();
    api.status.watch = 503;
    api.status.list = 503;
    api.cut();
    api.tell('DELETED', function1('Running', '2'));
    await expect.poll(() => watch.unseenMs(), { timeout: 5000 }).toBeGreaterThan(1000);
    // Not from when it was noticed.
    expect(watch.unseenMs()).toBeGreaterThanOrEqual(performance.now() - began);
    expect(watch.functions()).toEqual(new Map([['fn-1', 1]]));
    api.status.watch = 200;
    api.status.list = 200;
    await expect.poll(() => watch.unseenMs(), { timeout: 5000 }).toBe(0);
    // What happened meanwhile is told now.
    await expect.poll(() => watch.functions()).toEqual(new Map());
    await watch.stop();
    await api.close();
    rmSync(logDirectory, { recursive: true });
  });

  it('is not blind for the moment in which it is opened anew', async () => {
    const api = await fakeApi();
    const logDirectory = mkdtempSync(join(tmpdir(), 'faultline-pods-'));
    const watch = await watchPods(api.kubeconfig, 'lab', {}, { onEvent: () => {}, logDirectory });
    const { watches } = api;
    const looks: number[] = [];
    const look = setInterval(() => looks.push(watch.unseenMs()), 20);
    api.cut();
    await expect.poll(() => api.watches, { timeout: 5000 }).toBeGreaterThan(watches);
    clearInterval(look);
    expect(looks.length).toBeGreaterThan(3);
    expect(Math.max(...looks)).toBe(0);
    await watch.stop();
    await api.close();
    rmSync(logDirectory, { recursive: true });
  });
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
