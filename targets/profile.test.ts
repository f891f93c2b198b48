import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../base/errors.ts';
import { RefusedError } from '../base/errors.ts';
import { loadProfile } from './profile.ts';

const REFERENCE = fileURLToPath(new URL('./profiles/reference.yaml', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'faultline-profile-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The shipped profile with one thing replaced; the paths in it stay valid. */
function refused(from: string | RegExp, to: string): Diagnostic[] {
  const text = readFileSync(REFERENCE, 'utf8').replaceAll('../../slo', join(dirname(REFERENCE), '../../slo'));
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  const file = join(directory, 'profile.yaml');
  writeFileSync(file, changed);
  try {
    loadProfile(file);
  } catch (error) {
    if (error instanceof RefusedError) return error.diagnostics;
    throw error;
  }
  throw new Error('was not refused');
}

describe('loadProfile', () => {
  test('reads the shipped profile by its name', () => {
    const profile = loadProfile('reference');
    expect(profile.name).toBe('reference');
    expect(profile.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(profile.core)).toEqual(['builds', 'invocations', 'events']);
    expect(profile.ruleFiles.length).toBeGreaterThan(0);
    expect(profile.objectiveFiles.length).toBeGreaterThan(10);
    expect(profile.honesty.map((h) => h.counter).every((c) => c in profile.counters)).toBe(true);
  });

  test('names the profiles that exist', () => {
    expect(() => loadProfile('nobody')).toThrow(
      /unknown profile "nobody": expected knative-lambda-operator, reference/,
    );
  });

  test.each([
    ['an unknown field', /^ {2}objectives:/m, '  colour: red\n  objectives:', /unknown field/],
    ['a rule file that is not there', 'sre-guide.yaml', 'nothing.yaml', /no such file/],
    [
      'an objective directory that is not there',
      /objectives: .*/,
      'objectives: ./nowhere',
      /directory with \*\.yaml/,
    ],
    [
      'bad PromQL',
      'max(knative_lambda_operator_workqueue_depth)',
      'max(knative_lambda_operator_workqueue_depth',
      /PromQL syntax error/,
    ],
    ['a core query without $window', /tps: .*"complete".*/, 'tps: sum(up)', /expected \$window/],
    [
      'a counter that is an expression',
      'knative_lambda_receiver_requests_total{code="202"}',
      'sum(up)',
      /plain selector/,
    ],
    [
      'a comparison with an unknown counter',
      'counter: builds_failed',
      'counter: builds_fialed',
      /not under counters/,
    ],
    ['a core metric that is missing', /^ {6}p99: .*\n/m, '', /Invalid input/],
    ['an unknown way to speak', 'by: commands', 'by: carrier-pigeon', /Invalid (discriminator|input)/],
  ])('refuses %s, with its line', (_, from, to, message) => {
    const problems = refused(from, to);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBeGreaterThan(1);
  });
});
