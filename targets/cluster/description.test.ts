import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusedError } from '../../base/errors.ts';
import type { Guardrails } from '../../chaos/guardrails/file.ts';
import { referenceImages } from '../kind/place.ts';
import { describedPlace } from './description.ts';

let directory: string;
let cacheBefore: string | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-described-'));
  cacheBefore = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = join(directory, 'cache');
});
afterEach(() => {
  if (cacheBefore === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheBefore;
  rmSync(directory, { recursive: true });
});

const NODES = {
  items: [
    node('worker-1', '10.0.0.2'),
    node('worker-2', '10.0.0.3'),
    node('plane', '10.0.0.1', { 'node-role.kubernetes.io/control-plane': '' }),
  ],
};
function node(name: string, address: string, labels: Record<string, string> = {}) {
  return { metadata: { name, labels }, status: { addresses: [{ type: 'InternalIP', address }] } };
}

/** In kubectl's place: says what each of its words asks for, and keeps what it was asked. */
function kubectl(answers: { view?: string; nodes?: object } = {}): string {
  const file = join(directory, 'kubectl');
  writeFileSync(
    file,
    `#!/bin/sh
echo "$*" >>'${directory}/asked'
case "$1" in
config) cat <<'VIEW'
${answers.view ?? 'current-context: staging'}
VIEW
;;
get) cat <<'NODES'
${JSON.stringify(answers.nodes ?? NODES)}
NODES
;;
version) echo '{"serverVersion":{"gitVersion":"v1.34.1"}}' ;;
esac
`,
  );
  chmodSync(file, 0o755);
  return file;
}
const asked = () => readFileSync(join(directory, 'asked'), 'utf8');

const IMAGES = '{ services: inside:5000/services:1, kubeStateMetrics: inside:5000/ksm:1 }';
function described(spec: string): string {
  const file = join(directory, 'staging.yaml');
  writeFileSync(file, `apiVersion: faultline.dev/v1\nkind: Cluster\nspec:\n${spec}`);
  return file;
}
const spec = (kubectl: string) => `  context: staging
  kubeconfig: staging.kubeconfig
  kubectl: ${kubectl}
  hostAddress: 10.0.0.9
  registry: { here: 127.0.0.1:5000, inside: inside:5000 }
  images: ${IMAGES}
`;
const listed: Guardrails = {
  ...{ file: 'guardrails.yaml', contexts: ['staging'], namespaces: ['lab'] },
  ...{ blastRadius: {}, freezeFiles: [] },
};
function refusal(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof RefusedError)
      return error.diagnostics.map(({ field, message }) => `${field}: ${message}`);
    throw error;
  }
  throw new Error('expected it to be refused');
}

describe('describedPlace', () => {
  it('asks nothing of a cluster that the guardrails do not list', () => {
    const file = described(spec(kubectl()));
    const nobody: Guardrails = { contexts: [], namespaces: [], blastRadius: {}, freezeFiles: [] };
    expect(refusal(() => describedPlace(file, nobody, 'lab'))).toEqual([
      'spec.context: "staging" is not allow-listed: expected it among spec.contexts of a guardrails file (see docs/guardrails.md)',
      'spec.context: namespace lab is not allow-listed: expected it among spec.namespaces of a guardrails file (see docs/guardrails.md)',
    ]);
    expect(refusal(() => describedPlace(file, { ...listed, contexts: ['staging-2'] }, 'lab'))).toEqual([
      'spec.context: "staging" is not allow-listed: expected it among spec.contexts of guardrails.yaml',
    ]);
    expect(refusal(() => describedPlace(file, listed, 'prod'))).toEqual([
      'spec.context: namespace prod is not allow-listed: expected it among spec.namespaces of guardrails.yaml',
    ]);
    expect(asked).toThrow(/ENOENT/);
  });

  it('takes this context and no other, into a kubeconfig of its own that nobody else may read', () => {
    const view = 'only: staging';
    const find = describedPlace(described(spec(kubectl({ view }))), listed, 'lab');
    const { way } = find();
    expect(asked()).toContain(
      `config view --kubeconfig=${directory}/staging.kubeconfig --context=staging --minify --flatten --raw\n`,
    );
    expect(readFileSync(way.kubeconfig, 'utf8')).toContain('only: staging');
    expect(statSync(way.kubeconfig).mode & 0o777).toBe(0o600);
    expect(asked()).toContain(`get nodes --kubeconfig=${way.kubeconfig}`);
    find();
    expect(asked().match(/get nodes/g)).toHaveLength(1);
  });

  it('keeps two clusters apart whose contexts have one name', () => {
    const at = (server: string) => {
      const view = `clusters: [{ name: default, cluster: { server: '${server}' } }]`;
      return describedPlace(described(spec(kubectl({ view }))), listed, 'lab')().way.kubeconfig;
    };
    const first = at('https://a:6443');
    expect(at('https://b:6443')).not.toBe(first);
    expect(readFileSync(first, 'utf8')).toContain('https://a:6443');
    expect(at('https://a:6443')).toBe(first);
  });

  it('takes a path of kubectl as relative to its file, so that the reaper finds it from elsewhere', () => {
    kubectl();
    expect(describedPlace(described(spec('./kubectl')), listed, 'lab')().way.kubectl).toBe(
      join(directory, 'kubectl'),
    );
  });

  it('says what it is: its workers, and the node that stays when one of them is lost', () => {
    const place = describedPlace(described(spec(kubectl())), listed, 'lab')();
    expect(place).toMatchObject({
      ...{ target: 'cluster', nodeAddress: '10.0.0.1', hostAddress: '10.0.0.9', shapers: [] },
      versions: { kubernetes: 'v1.34.1' },
      nodes: [
        { name: 'plane', worker: false },
        { name: 'worker-1', worker: true },
        { name: 'worker-2', worker: true },
      ],
    });
    expect(place.engine).toBeUndefined();
    expect(refusal(() => referenceImages(place)).map((line) => line.split(':')[0])).toEqual([
      ...['spec.images.platform', 'spec.images.objectStore'],
      ...['spec.images.kaniko', 'spec.images.functionBase'],
    ]);
  });

  it.each([
    ['a kubectl that is not there', spec('/nowhere/kubectl'), 'spec.kubectl: /nowhere/kubectl is not there'],
    ['a cluster that does not answer', spec('/bin/false'), 'spec.context: kubectl config of staging'],
  ])('says so: %s', (_, text, message) => {
    const find = describedPlace(described(text), listed, 'lab');
    expect(refusal(find).join('\n')).toContain(message);
  });

  it.each([
    ['no context', (s: string) => s.replace(/.*context.*\n/, ''), 'spec.context'],
    ['a port too many', (s: string) => s.replace('10.0.0.9', '10.0.0.9:80'), 'spec.hostAddress'],
    [
      'a registry without a port',
      (s: string) => s.replace('127.0.0.1:5000', 'registry'),
      'spec.registry.here',
    ],
    ['no image of what measures', (s: string) => s.replace('services:', 'servants:'), 'spec.images'],
    ['an https ingress', (s: string) => `${s}  ingress: { url: https://x, domain: d }\n`, 'spec.ingress.url'],
  ])('refuses a file with %s', (_, change, field) => {
    const file = described(change(spec('kubectl')));
    expect(refusal(() => describedPlace(file, listed, 'lab')).join('\n')).toContain(field);
  });
});
