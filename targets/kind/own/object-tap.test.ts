import { describe, expect, it } from 'vitest';
import { loadProfile } from '../../profile.ts';
import { fakeApi } from '../fake-api.ts';
import { lambdaFunction } from './object-front.ts';
import { BuildsByFunction, EVENT_ID, type LambdaStatus, openObjectTap, resultOf } from './object-tap.ts';

const built = [{ type: 'BuildReady', status: 'True' }];
const image = 'registry:5000/ns/a:1';

it.each<[string, LambdaStatus, unknown]>([
  ['without a status', {}, undefined],
  ['that is building', { phase: 'Building', buildStatus: { imageURI: image } }, undefined],
  [
    'whose image is there',
    { phase: 'Deploying', conditions: built, buildStatus: { imageURI: image } },
    image,
  ],
  ['that is Ready', { phase: 'Ready', conditions: built, buildStatus: { imageURI: image } }, image],
  // An image that nobody named is found missing by the judge.
  ['that is Ready and names no image', { phase: 'Ready', conditions: built }, undefined],
])('a function %s', (_, status, artifact) => {
  const result = resultOf(status);
  expect(result?.artifact).toBe(artifact);
  expect(result?.result).toBe(status.conditions ? 'completed' : undefined);
});

it('a function that failed, also after an image was built, is failed', () => {
  expect(resultOf({ phase: 'Failed', conditions: built })).toEqual({ result: 'failed', artifact: undefined });
});

it('one that is Ready and was never built is not taken for built', () => {
  expect(resultOf({ phase: 'Ready', conditions: [{ type: 'BuildReady', status: 'False' }] })).toBeUndefined();
});

it('counts a second build from its beginning, and none that failed or was taken away in its work', () => {
  const builds = new BuildsByFunction();
  const see = (uid: string, status: object, gone = false) =>
    builds.see({ metadata: { uid, labels: { 'lambda.knative.io/name': 'a' } }, status }, gone);
  expect(builds.times('a')).toBe(1);
  expect(see('one', {})).toBe('a');
  see('one', { succeeded: 1 });
  expect(builds.times('a')).toBe(1);
  see('two', { active: 1 });
  expect(builds.times('a')).toBe(2);
  const failed = { failed: 1, conditions: [{ type: 'Failed', status: 'True' }] };
  see('two', failed);
  expect(builds.times('a')).toBe(1);
  see('three', { active: 1 });
  see('three', { active: 1 }, true);
  expect(builds.times('a')).toBe(1);
  // Its time to live was over.
  see('four', { succeeded: 1 });
  see('four', { succeeded: 1 }, true);
  expect([builds.times('a'), builds.times('b')]).toEqual([2, 1]);
  expect(builds.see({ metadata: { uid: 'five' } }, false)).toBeUndefined();
});

it('counts a build of which a pod failed: its Job begins another one, and may still build the image', () => {
  const builds = new BuildsByFunction();
  const see = (uid: string, status: object, gone = false) =>
    builds.see({ metadata: { uid, labels: { 'lambda.knative.io/name': 'a' } }, status }, gone);
  see('one', { succeeded: 1 });
  see('two', { failed: 1, conditions: [{ type: 'Failed', status: 'False' }] });
  expect(builds.times('a')).toBe(2);
  const complete = { failed: 1, succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] };
  see('two', complete);
  see('two', complete, true);
  expect(builds.times('a')).toBe(2);
});

it('makes a function as the profile has it, with the event that asks for it', () => {
  const { speaks } = loadProfile('knative-lambda-operator');
  if (speaks.by !== 'objects') throw new Error('expected objects');
  expect(
    lambdaFunction(speaks, { name: 'a-1', minScale: 1, maxScale: 3, targetConcurrency: 7 }, 'id-1'),
  ).toMatchObject({
    metadata: { name: 'a-1', namespace: 'knative-lambda', annotations: { [EVENT_ID]: 'id-1' } },
    spec: {
      scaling: { minReplicas: 1, maxReplicas: 3, targetConcurrency: 7 },
      source: { inline: { code: expect.stringContaining("name: 'a-1'") } },
    },
  });
  // So that the image of another run's build of that name can not be taken for this one's.
  const codeOf = (id?: string) => JSON.stringify(lambdaFunction(speaks, { name: 'a-1' }, id));
  expect(codeOf('id-1')).toContain("build: 'id-1'");
  expect(codeOf()).not.toContain('{{');
});

describe('the tap', () => {
  const lambda = (name: string, phase: string, resourceVersion: string) => ({
    metadata: { name, resourceVersion, annotations: { [EVENT_ID]: `of-${name}` } },
    status: { phase, conditions: built, buildStatus: { imageURI: image } },
  });

  it('does not begin where it may not look', async () => {
    const api = await fakeApi();
    api.status.list = 403;
    await expect(openObjectTap(api.kubeconfig, 'lab')).rejects.toThrow(
      /may not list and watch lambdafunctions of namespace lab, .* answered 403: User "ci" cannot do that/,
    );
    await api.close();
  });

  it('does not claim to listen while its watches are away, and hears when they are back what it would have lost', async () => {
    const api = await fakeApi();
    const tap = await openObjectTap(api.kubeconfig, 'lab');
    expect(tap.listening()).toBe(true);
    api.status.watch = 503;
    api.cut();
    await expect.poll(tap.listening, { timeout: 5000 }).toBe(false);
    // A new start that is refused is no start.
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(tap.listening()).toBe(false);
    api.status.watch = 200;
    await expect.poll(tap.listening, { timeout: 5000 }).toBe(true);
    api.tell('ADDED', lambda('a', 'Ready', '2'));
    await expect.poll(() => tap.processed.get('of-a')?.result).toBe('completed');
    await tap.close();
    await api.close();
  });
});
