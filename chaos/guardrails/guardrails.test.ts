import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RefusedError } from '../../base/errors.ts';
import type { Impact } from '../fault.ts';
import { type Guardrails, loadGuardrails } from './file.ts';
import { allow, frozen, together } from './guard.ts';

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
    [
      '{ blastRadius: { replicaShare: 0.5 } }',
      impact({ workloads: [{ name: 'web', hit: 1, unready: 1, of: 3 }] }),
      /1 of 3 of web besides 1 missing or not ready already, and/,
    ],
    [
      '{ blastRadius: { replicaShare: 0.7 } }',
      impact({ workloads: [{ name: 'web', hit: 1, unready: 1, of: 3 }] }),
      'allowed',
    ],
    // Nobody has to have written guardrails to be heard.
    ['{}', impact({ frozen: 'namespace payments is frozen' }), /namespace payments is frozen/],
  ])('%s', (spec, what, expected) => {
    expect(refusal(spec, what)).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    );
  });

  it('lists the namespaces of the run itself as little as it must', () => {
    expect(refusal('{}', impact(), [])).toMatch(/pods of knative-lambda/);
  });

  it('asks nothing where nobody has written guardrails', () => {
    const none = loadGuardrails(undefined, { HOME: '/nowhere' });
    expect(() => allow(none, [], impact())).not.toThrow();
    expect(() => allow(none, [], impact({ frozen: 'somebody says stop' }))).toThrow(/somebody says stop/);
  });
});

describe('faults that overlap', () => {
  const node = (name: string, pod: string, change: Partial<Impact> = {}): Impact => ({
    pods: [{ namespace: 'ns', name: pod }],
    nodes: [name],
    workloads: [{ name: 'ns/web', hit: 1, of: 3 }],
    ...change,
  });

  it('are counted together: nodes, and shares of one workload', () => {
    const both = together(node('two', 'web-2'), new Map([['first', node('one', 'web-1')]]));
    expect(both.nodes).toEqual(['two', 'one']);
    expect(both.workloads).toEqual([{ name: 'ns/web', hit: 2, of: 3 }]);
    expect(() => allow(written('{ blastRadius: { nodes: 1 } }'), ['ns'], both)).toThrow(
      /with what fault first has taken, it would take 2 nodes.*: two, one/,
    );
    // What one act may take is the act's own.
    expect(both.pods).toHaveLength(1);
  });

  it('and what both hit once', () => {
    const same = together(node('one', 'web-1'), new Map([['first', node('one', 'web-1')]]));
    expect(same).toMatchObject({ nodes: ['one'], workloads: [{ hit: 1, of: 3 }] });
  });

  it('and what is not ready is no reason twice: it may be what the other has hit', () => {
    const second = node('two', 'web-2', { workloads: [{ name: 'ns/web', hit: 1, unready: 1, of: 3 }] });
    expect(together(second, new Map([['first', node('one', 'web-1')]])).workloads).toEqual([
      { name: 'ns/web', hit: 2, of: 3 },
    ]);
  });

  it('of different workloads are none the larger', () => {
    const other = node('two', 'db-1', { workloads: [{ name: 'ns/db', hit: 1, of: 1 }] });
    expect(together(other, new Map([['first', node('one', 'web-1')]])).workloads).toEqual([
      { name: 'ns/db', hit: 1, of: 1 },
    ]);
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
