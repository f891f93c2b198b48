import { expect, it } from 'vitest';
import { withPartitionBehavior } from './chaos-mesh.ts';

const crd = (schema: unknown) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'x' },
  spec: { versions: [{ schema }] },
});
const text = { type: 'string' };

it('adds the field that the webhook sets wherever a NetworkChaos stands, and nowhere else', () => {
  const network = { properties: { action: text, direction: text, externalTargets: {} } };
  const rule = { properties: { direction: text, ipsets: {} } };
  const other = { properties: { action: text, direction: text } };
  const schema = {
    properties: { spec: { properties: { networkChaos: network, rules: { items: rule }, other } } },
  };
  const before = structuredClone(other);
  withPartitionBehavior(crd(schema));
  expect(network.properties).toMatchObject({ partitionBehavior: text });
  expect(rule.properties).toMatchObject({ partitionBehavior: text });
  expect(other).toEqual(before);
});
