import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { INGRESS_NODE_PORT } from './ingress.ts';
import { parseManifests } from './kubernetes.ts';

const text = readFileSync(join(import.meta.dirname, 'manifests/ingress.yaml'), 'utf8');

it('puts the images that are built in the place of their names, and leaves others', () => {
  const image = (images: Record<string, string>) =>
    JSON.stringify(parseManifests(text, images)).match(/"image":"([^"]+)"/)?.[1];
  expect(image({ traefik: 'registry:5000/traefik:abc' })).toBe('registry:5000/traefik:abc');
  expect(image({ other: 'x' })).toBe('faultline.dev/traefik');
  expect(
    parseManifests('kind: A\nmetadata: { name: a }\nimage: faultline.dev/traefik:1\n', { traefik: 'x' }),
  ).toEqual([{ kind: 'A', metadata: { name: 'a' }, image: 'faultline.dev/traefik:1' }]);
});

it('reads documents that hold nothing as nothing', () => {
  expect(parseManifests('---\n# only a comment\n---\nkind: A\nmetadata: { name: a }\n')).toHaveLength(1);
});

it('publishes the web where the host looks for it', () => {
  expect(JSON.stringify(parseManifests(text))).toContain(`"nodePort":${INGRESS_NODE_PORT}`);
});
