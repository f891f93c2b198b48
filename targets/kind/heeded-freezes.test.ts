import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ClusterDriver } from '../../chaos/drivers.ts';
import type { Impact } from '../../chaos/fault.ts';
import { type FakeApi, fakeApi } from './fake-api.ts';
import { type FreezeWatch, watchFreeze } from './freeze.ts';
import { heedingFreezes } from './heeded-freezes.ts';

const namespace = (name: string, value?: string, resourceVersion = '1') => ({
  metadata: {
    ...{ name, resourceVersion },
    annotations: value === undefined ? {} : { 'faultline.dev/freeze': value },
  },
});
let api: FakeApi;
let freeze: FreezeWatch;
let driver: ClusterDriver;
beforeEach(async () => {
  api = await fakeApi();
  api.items = [namespace('lab'), namespace('payments'), namespace('shop', 'oncall')];
  const watched = new Set(['lab']);
  freeze = await watchFreeze(api.kubeconfig, watched);
  const impactOfNode = async (node: string): Promise<Impact> => ({
    ...{ pods: [{ namespace: node, name: 'it' }], nodes: [node], workloads: [] },
  });
  driver = heedingFreezes({ namespace: 'lab', impactOfNode } as ClusterDriver, freeze, watched);
});
afterEach(async () => {
  await freeze.stop();
  await api.close();
});

it('says of a node that a namespace of its pods is frozen', async () => {
  expect((await driver.impactOfNode('payments')).frozen).toBeUndefined();
  // Where nothing of this run goes, it is nobody's business.
  expect(freeze.reason()).toBeUndefined();
  expect((await driver.impactOfNode('shop')).frozen).toMatch(/namespace shop .*=oncall/);
  expect(freeze.reason()).toMatch(/namespace shop/);
});

it('has a freeze of a namespace that was reached stop the run', async () => {
  api.tell('MODIFIED', namespace('payments', 'early', '2'));
  await driver.impactOfNode('lab');
  expect(freeze.reason()).toBeUndefined();
  await driver.impactOfNode('payments');
  await expect.poll(freeze.reason).toMatch(/payments .*=early/);
  api.tell('MODIFIED', namespace('payments', undefined, '3'));
  await expect.poll(freeze.reason).toBeUndefined();
});

it('is the driver that it was besides', () => {
  expect(driver.namespace).toBe('lab');
});
