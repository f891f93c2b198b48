import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RefusedError } from '../../base/errors.ts';
import type { Impact } from '../fault.ts';
import { type Guardrails, loadGuardrails } from './file.ts';
import { allow, frozen } from './guard.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-guardrails-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function written(spec: string): Guardrails {
  const file = join(directory, 'guardrails.yaml');
  writeFileSync(file, `apiVersion: faultline.dev/v1\nkind: Guardrails\nspec: ${spec}\n`);
  return loadGuardrails(file, {});
}

const impact = (change: Partial<Impact> = {}): Impact => ({
  pods: [
    { namespace: 'knative-lambda', name: 'rabbitmq-0' },
    { namespace: 'knative-lambda', name: 'builder-1' },
  ],
  nodes: [],
  workloads: [
    { name: 'rabbitmq', hit: 1, of: 3 },
    { name: 'builder', hit: 1, of: 1 },
  ],
  ...change,
});

describe('the file', () => {
  it('is refused with line and field', () => {
    let said = '';
    try {
      written('{ blastRadius: { pods: -1 }, namespace: [a] }');
    } catch (error) {
      expect(error).toBeInstanceOf(RefusedError);
      said = (error as Error).message;
    }
    expect(said).toMatch(/guardrails\.yaml:3: spec\.blastRadius\.pods/);
    expect(said).toMatch(/namespace/);
  });

  it('is taken from the option, from the environment, from its usual place, in this order', () => {
    const file = join(directory, 'guardrails.yaml');
    written('{ namespaces: [a] }');
    expect(loadGuardrails(undefined, { FAULTLINE_GUARDRAILS: file, HOME: '/nowhere' }).file).toBe(file);
    expect(loadGuardrails(undefined, { HOME: '/nowhere' })).toEqual({
      contexts: [],
      namespaces: [],
      blastRadius: {},
      freezeFiles: ['/nowhere/.config/faultline/freeze'],
    });
    expect(() => loadGuardrails('/nowhere/else.yaml', {})).toThrow(RefusedError);
  });
});

describe('allow', () => {
  const refusal = (spec: string, what: Impact, own = ['knative-lambda']): string => {
    try {
      allow(written(spec), own, what);
    } catch (error) {
      return (error as Error).message;
    }
    return 'allowed';
  };

  it.each([
    ['{}', impact(), 'allowed'],
    ['{ blastRadius: { pods: 2, nodes: 0, replicaShare: 1 } }', impact(), 'allowed'],
    [
      '{ blastRadius: { pods: 1 } }',
      impact(),
      /2 pods, and spec\.blastRadius\.pods is 1: rabbitmq-0, builder-1/,
    ],
    ['{ blastRadius: { nodes: 0 } }', impact({ nodes: ['worker'] }), /1 nodes.*is 0: worker/],
    ['{ blastRadius: { replicaShare: 0.34 } }', impact(), /1 of 1 of builder/],
    [
      '{ blastRadius: { replicaShare: 0.33 } }',
      impact(),
      /1 of 3 of rabbitmq.*; it would take 1 of 1 of builder/,
    ],
    [
      '{}',
      impact({ pods: [{ namespace: 'kube-system', name: 'dns' }] }),
      /kube-system, which spec\.namespaces does not list/,
    ],
    [
      '{ namespaces: [kube-system] }',
      impact({ pods: [{ namespace: 'kube-system', name: 'dns' }] }),
      'allowed',
    ],
    ['{ blastRadius: { pods: 0 } }', impact({ pods: [{ name: 'builder' }] }), /1 pods/],
  ])('%s', (spec, what, expected) => {
    expect(refusal(spec, what)).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    );
  });

  it('lists the namespaces of the run itself as little as it must', () => {
    expect(refusal('{}', impact(), [])).toMatch(/pods of knative-lambda/);
  });

  it('asks nothing where nobody has written guardrails', () => {
    expect(() => allow(loadGuardrails(undefined, { HOME: '/nowhere' }), [], impact())).not.toThrow();
  });
});

describe('frozen', () => {
  it('by the file that the guardrails name, beside them', () => {
    const guardrails = written('{ freezeFile: stop }');
    expect(frozen(guardrails)).toBeUndefined();
    writeFileSync(join(directory, 'stop'), '');
    expect(frozen(guardrails)).toMatch(/stop exists: remove it/);
  });
});
