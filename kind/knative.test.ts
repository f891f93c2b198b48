import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HarnessError } from '../base/errors.ts';
import { knativeManifests } from './knative.ts';

let directory: string;
const file = (path: string, text: string) => {
  mkdirSync(join(directory, dirname(path)), { recursive: true });
  writeFileSync(join(directory, path), text);
};
const configMap = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { _example: "x" }\n`;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-knative-'));
  file('serving/config/core/configmaps/network.yaml', configMap('config-network'));
  file('serving/config/core/configmaps/domain.yaml', configMap('config-domain'));
  file('serving/config/core/configmaps/deployment.yaml', configMap('config-deployment'));
  file(
    'serving/config/core/deployments/activator.yaml',
    '# a comment\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: activator }\nspec: { image: "ko://knative.dev/serving/cmd/activator" }\n',
  );
  file(
    'serving/config/core/deployments/activator-hpa.yaml',
    'kind: HorizontalPodAutoscaler\nmetadata: { name: a }\n',
  );
  file('networking/config/ingress.yaml', 'kind: CustomResourceDefinition\nmetadata: { name: ingresses }\n');
  file('caching/config/image.yaml', 'kind: CustomResourceDefinition\nmetadata: { name: images }\n');
});
afterEach(() => rmSync(directory, { recursive: true }));

const IMAGES = {
  'knative.dev/serving/cmd/activator': 'registry:5000/activator:1',
  'knative.dev/serving/cmd/queue': 'registry:5000/queue:1',
};

it('takes all of Knative’s files but those for a metrics server, with our images and settings', () => {
  const manifests = knativeManifests(directory, IMAGES, 'registry:5000');
  expect(manifests.map((m) => m.metadata.name).sort()).toEqual([
    'activator',
    'config-deployment',
    'config-domain',
    'config-network',
    'images',
    'ingresses',
  ]);
  const named = (name: string) => manifests.find((m) => m.metadata.name === name);
  expect(named('activator')?.spec).toEqual({ image: 'registry:5000/activator:1' });
  expect(named('config-deployment')?.data).toEqual({
    _example: 'x',
    'queue-sidecar-image': 'registry:5000/queue:1',
    'registries-skipping-tag-resolving': 'registry:5000',
  });
  expect(named('config-domain')?.data).toMatchObject({ 'functions.local': '' });
});

it('refuses manifests that want an image which nobody builds, or lack a setting’s ConfigMap', () => {
  expect(() => knativeManifests(directory, { 'knative.dev/serving/cmd/queue': 'q' }, 'r')).toThrow(
    /want an image of knative\.dev\/serving\/cmd\/activator/,
  );
  rmSync(join(directory, 'serving/config/core/configmaps/domain.yaml'));
  expect(() => knativeManifests(directory, IMAGES, 'r')).toThrow(HarnessError);
});
