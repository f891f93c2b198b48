/** A cluster whose user lacks a right, by a kubectl and a registry that only answer. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cacheDirectory, thisMachine } from '../tools/machine.ts';
import { bundles, faultline } from './faultline.ts';

let registry: Server;
beforeAll(async () => {
  registry = createServer((_request, response) => response.end());
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
});
afterAll(() => void registry.close());

/** @param may as an expression over `a`, what an access review asks for @param ends what kubectl does after its answers */
function cluster(may: string, ends = '') {
  const directory = bundles();
  const kubectl = join(directory, 'kubectl');
  const node = { metadata: { name: 'one' }, status: { addresses: [], capacity: { cpu: '2' } } };
  const storage = {
    metadata: { name: 's', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  };
  writeFileSync(
    kubectl,
    `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const words = process.argv.slice(2).filter((word) => !word.startsWith('-'));
appendFileSync(${JSON.stringify(join(directory, 'asked'))}, words.join(' ') + '\\n');
const answers = {
  'config view': 'clusters: [{ name: staging }]',
  'get nodes': ${JSON.stringify(JSON.stringify({ items: [node] }))},
  version: '{ "serverVersion": { "gitVersion": "v1.34.3" } }',
  'api-resources': 'services  serving.knative.dev/v1  true  Service\\nnetworkchaos  chaos-mesh.org/v1alpha1  true  NetworkChaos\\n',
  'get namespaces': 'default',
  'get storageclasses': ${JSON.stringify(JSON.stringify({ items: [storage] }))},
  'get persistentvolumes': '',
};
if (words[0] !== 'create') process.stdout.write(answers[words.join(' ')] ?? '');
else {
  for (const { kind, spec: { resourceAttributes: a } } of JSON.parse(readFileSync(0, 'utf8')).items)
    if (kind === 'SelfSubjectAccessReview') process.stdout.write('\\n#' + (${may}) + ' ');
  ${ends}
}
`,
  );
  chmodSync(kubectl, 0o755);
  const address = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  const images = ['services', 'kubeStateMetrics', 'platform', 'objectStore', 'kaniko', 'functionBase'];
  const named = images.map((name) => `${name}: ${address}/${name}:1`).join(', ');
  writeFileSync(
    join(directory, 'staging.yaml'),
    `apiVersion: faultline.dev/v1
kind: Cluster
spec:
  context: staging
  kubectl: ${kubectl}
  hostAddress: 10.0.0.9
  registry: { here: '${address}', inside: '10.0.0.9:5000' }
  images: { ${named.replaceAll(address, '10.0.0.9:5000')} }
`,
  );
  writeFileSync(
    join(directory, 'guardrails.yaml'),
    `apiVersion: faultline.dev/v1
kind: Guardrails
spec: { contexts: [staging], namespaces: [knative-lambda] }
`,
  );
  // The tools stay those of this machine; what is kept of the cluster goes elsewhere.
  mkdirSync(join(directory, 'cache/faultline'), { recursive: true });
  symlinkSync(cacheDirectory(thisMachine()), join(directory, 'cache/faultline/tools'));
  const given = ['--target', 'cluster', '--cluster', join(directory, 'staging.yaml')];
  const bounds = ['--guardrails', join(directory, 'guardrails.yaml')];
  const few = ['--load-scale', 'builds=0.2', '--time-scale', '2'];
  const call = (command: string, ...more: string[]) =>
    faultline([command, 'kaniko-killed', ...given, ...bounds, ...few, ...more], {
      XDG_CACHE_HOME: join(directory, 'cache'),
    }).ended;
  const asked = () => new Set(readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n'));
  return { call, asked };
}

/** Of kubectl. */
const LOOKS = [
  ...['config view', 'get nodes', 'version', 'api-resources'],
  ...['get namespaces', 'get storageclasses', 'get persistentvolumes', 'create'],
].sort();

it('a run whose user lacks rights is refused, with all of them and what gives them, and nothing is started', async () => {
  const { call, asked } = cluster("a.resource !== 'podchaos' || a.verb !== 'create'");
  const out = bundles();
  const { code, stderr } = await call('run', '--out', out);
  expect([code, stderr]).toEqual([
    64,
    expect.stringMatching(
      /staging\.yaml: spec\.context: its user may not create podchaos\.chaos-mesh\.org in knative-lambda\nNext: `faultline rights kaniko-killed .* --whole-run --account NAMESPACE\/NAME` prints/,
    ),
  ]);
  expect(readdirSync(out)).toEqual([]);
  expect([...asked()].sort()).toEqual(LOOKS);
});

it('a run of whose user nobody knows what he may is an error, and nothing is started', async () => {
  const { call, asked } = cluster('true', "console.error('the server is away'); process.exit(1);");
  const out = bundles();
  const { code, stderr } = await call('run', '--out', out);
  expect([code, stderr]).toEqual([
    3,
    expect.stringMatching(/nobody knows what the kubeconfig's user may do[\s\S]*the server is away/),
  ]);
  expect(readdirSync(out)).toEqual([]);
  expect([...asked()].sort()).toEqual(LOOKS);
});

it('rights --check asks about the user of the kubeconfig', async () => {
  const { code, stdout, stderr } = await cluster('true').call('rights', '--check');
  expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^The kubeconfig's user may do/), '']);
});
