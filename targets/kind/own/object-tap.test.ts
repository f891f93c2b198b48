import { expect, it } from 'vitest';
import { loadProfile } from '../../profile.ts';
import { lambdaFunction } from './object-front.ts';
import { BuildsByFunction, EVENT_ID, type LambdaStatus, resultOf } from './object-tap.ts';

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
  see('two', { failed: 1 });
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
