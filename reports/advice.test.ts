/** What a person should do next: true of the check that it is about. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Check, Verdict } from '../evidence/verdict.ts';
import { nextSteps } from './advice.ts';
import { type Outcome, readOutcome } from './bundle.ts';
import { writeSampleBundle } from './sample.ts';

let dir: string;
let outcome: Outcome;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-advice-'));
  await writeSampleBundle(dir);
  outcome = await readOutcome(dir);
});
afterAll(() => rm(dir, { recursive: true }));

/** The steps after a run of which one check did not pass. */
function after(verdict: Verdict, group: Check['group'], id: string): string {
  const check = { id, group, title: id, verdict, message: '', informational: false, evidence: [] };
  return nextSteps({ ...outcome, verdict: { ...outcome.verdict, verdict, checks: [check] } }).join('\n');
}

it.each([
  ['fault', 'fault/kill-builder'],
  ['harness', 'harness/audit'],
] as const)('names `faultline clean` after an error of %s', (group, id) => {
  const said = after('error', group, id);
  expect(said).toContain('`faultline clean`');
  expect(said).not.toContain('not proven to bite');
  expect(said).not.toContain('did not come to its end');
});

it('still says of a fault that did not bite that it did not', () =>
  expect(after('unknown', 'fault', 'fault/kill-builder')).toContain('not proven to bite'));

it('says only of a run that did not come to its end that it did not', () => {
  for (const verdict of ['error', 'unknown'] as const)
    expect(after(verdict, 'harness', 'harness/outcome')).toContain('does not show one whole run');
  for (const id of ['harness/bundle', 'harness/audit', 'harness/claim', 'harness/checker-harness'])
    expect(after('unknown', 'harness', id)).not.toMatch(/whole run|come to its end/);
  expect(after('unknown', 'harness', 'harness/bundle')).toContain('The bundle is not whole');
  expect(after('unknown', 'harness', 'harness/audit')).toContain('`faultline clean --dry-run`');
});

it('does not blame the harness when the platform was so bad that the run was stopped', () => {
  const said = after('fail', 'harness', 'harness/outcome');
  expect(said).toContain('The run was stopped early because of the platform');
  expect(said).not.toContain('broke a rule');
});
