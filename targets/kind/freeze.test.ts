import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeApi, fakeApi } from './fake-api.ts';
import { type FreezeWatch, freezeReason, watchFreeze } from './freeze.ts';

it('freezes by any value of the annotation but false, which is told', () => {
  const why = (value: string) => freezeReason('lab', { 'faultline.dev/freeze': value, other: 'x' });
  expect(why('oncall')).toMatch(/namespace lab has the annotation faultline\.dev\/freeze=oncall: remove it/);
  expect(why('')).toMatch(/faultline\.dev\/freeze=:/);
  expect(why('false')).toBeUndefined();
  expect(freezeReason('lab', { other: 'x' })).toBeUndefined();
  expect(freezeReason('lab')).toBeUndefined();
});

describe('the watch', () => {
  let api: FakeApi;
  let watch: FreezeWatch | undefined;
  beforeEach(async () => {
    api = await fakeApi();
    api.items = [namespace('lab')];
  });
  afterEach(async () => {
    await watch?.stop();
    watch = undefined;
    await api.close();
  });
  const namespace = (name: string, value?: string, resourceVersion = '1') => ({
    metadata: {
      ...{ name, resourceVersion },
      annotations: value === undefined ? {} : { 'faultline.dev/freeze': value },
    },
  });
  const start = async (blindForMs?: number) => {
    watch = await watchFreeze(api.kubeconfig, new Set(['lab']), blindForMs);
    return watch;
  };

  it('sees a freeze that is there, that comes, and that goes', async () => {
    api.items = [namespace('lab', 'oncall'), namespace('other', 'oncall')];
    const { reason } = await start();
    expect(reason()).toMatch(/namespace lab .*=oncall/);
    api.tell('MODIFIED', namespace('lab', undefined, '2'));
    await expect.poll(reason).toBeUndefined();
    api.tell('MODIFIED', namespace('lab', 'again', '3'));
    await expect.poll(reason).toMatch(/=again/);
  });

  it.each(['list', 'watch'] as const)('does not begin without the right to %s namespaces', async (verb) => {
    api.status[verb] = 403;
    await expect(start()).rejects.toThrow(/user may not list and watch namespaces, .* answered 403/);
  });

  it('bears a server that is busy at first', async () => {
    api.status.list = 503;
    setTimeout(() => {
      api.status.list = 200;
    }, 700);
    expect((await start()).reason()).toBeUndefined();
  });

  it('says that nobody can look when the watch is lost and does not come back, and looks again when it does', async () => {
    const { reason } = await start(300);
    api.status.watch = 403;
    api.cut();
    await expect.poll(reason, { timeout: 5000 }).toMatch(/nobody can see whether namespaces have .*: for \d/);
    api.status.watch = 200;
    await expect.poll(reason, { timeout: 5000 }).toBeUndefined();
    api.tell('MODIFIED', namespace('lab', 'oncall', '2'));
    await expect.poll(reason).toMatch(/=oncall/);
  });

  it('says so of a connection that hangs, from the last word on: nobody closes it, and nothing comes', async () => {
    const { reason } = await start(3000);
    api.tell('MODIFIED', namespace('lab', 'early', '2'));
    await expect.poll(reason).toMatch(/=early/);
    api.tell('MODIFIED', namespace('lab', undefined, '3'));
    await expect.poll(reason).toBeUndefined();
    const back = api.hang();
    const began = performance.now();
    // What comes meanwhile is not heard.
    api.tell('MODIFIED', namespace('lab', 'oncall', '4'));
    await expect.poll(reason, { timeout: 10_000 }).toMatch(/nobody can see whether .*: for 3\.\d/);
    // Not counted from when it was given up, which is a second later.
    expect(performance.now() - began).toBeLessThan(3800);
    back();
    // Connections of before are lost, and those that were tried meanwhile.
    api.cut();
    await expect.poll(reason, { timeout: 10_000 }).toMatch(/=oncall/);
  });

  it('takes one that is idle for one that stands, and misses nothing when it is opened anew', async () => {
    const { reason } = await start(1500);
    const blind: string[] = [];
    const look = setInterval(() => blind.push(...[reason()].flatMap((said) => said ?? [])), 20);
    await expect.poll(() => api.watches, { timeout: 10_000 }).toBeGreaterThan(2);
    clearInterval(look);
    expect(blind).toEqual([]);
    expect(api.lists).toBe(1);
    api.tell('MODIFIED', namespace('lab', 'oncall', '2'));
    await expect.poll(reason).toMatch(/=oncall/);
  });

  it('bears a watch that is cut and is back at once', async () => {
    const { reason } = await start();
    api.cut();
    const look = () => {
      api.tell('MODIFIED', namespace('lab', 'oncall', '2'));
      return reason();
    };
    await expect.poll(look, { timeout: 5000 }).toBeDefined();
    expect(reason()).toMatch(/=oncall/);
  });
});
