/** A bundle whose evidence went after it was judged: its reports must not look like proof. */
import { cp, mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FILES } from '../evidence/tables.ts';
import type { Check } from '../evidence/verdict.ts';
import { nextSteps } from './advice.ts';
import { type Outcome, readBundle } from './bundle.ts';
import { resultEvent } from './cloudevent.ts';
import { goneCheck } from './gone.ts';
import { renderPage } from './html/page.ts';
import { renderJUnit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';
import { writeSampleBundle } from './sample.ts';

const NOT_NEEDED = 'Some evidence is missing (listed below); the judge did not need it.';
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'faultline-gone-'));
  await writeSampleBundle(join(root, 'whole'));
});
afterAll(() => rm(root, { recursive: true }));

async function without(file: string) {
  const dir = join(root, `no-${file}`);
  await cp(join(root, 'whole'), dir, { recursive: true });
  await unlink(join(dir, file));
  return readBundle(dir);
}

const JUDGED = [FILES.plan, FILES.journal, FILES.requests, FILES.ledger, FILES.series, FILES.alerts];
it.each(JUDGED)('says in every report that %s is not there, and to judge it again', async (file) => {
  const bundle = await without(file);
  const said = `${file} is not as it was judged (the file is not in the bundle): judge the bundle again`;
  const xml = renderJUnit(bundle);
  const cases = bundle.verdict.checks.length + 2;
  expect(xml).toContain(`tests="${cases}" failures="0" errors="1"`);
  expect([...xml.matchAll(/<testcase /g)]).toHaveLength(cases);
  expect(xml).toContain(`name="report/evidence"><error type="unknown" message="${said}">`);
  const { data } = resultEvent(bundle);
  expect(data).toMatchObject({
    reasons: [said],
    checks: { unknown: 1, error: 0 },
    notPassed: ['report/evidence'],
  });
  expect(nextSteps(bundle)[0]).toBe(
    `Evidence that the judge reads is not here (${file}): judge the bundle again before you trust this verdict.`,
  );
  expect(nextSteps(bundle)).not.toContain(NOT_NEEDED);
  expect(nextSteps(bundle).join()).not.toContain('Nothing needs doing');
  expect(renderMarkdown(bundle)).toContain('**Next:** Evidence that the judge reads is not here');
  expect(renderPage(bundle)).not.toContain('with evidence for every part of it');
});

it('does not speak of what the judge does not read', async () => {
  const bundle = await without(FILES.traces);
  expect(goneCheck(bundle)).toBeUndefined();
  expect(renderJUnit(bundle)).toContain('failures="0" errors="0"');
  expect(nextSteps(bundle)).toEqual([NOT_NEEDED]);
  expect(renderPage(bundle)).toContain('with evidence for every part of it');
});

it('does not ask for another judgement of what the judge knew to be missing', async () => {
  const bundle = await without(FILES.alerts);
  // A run without rules, whose journal says why the file was never written.
  const told = { seq: 1, t: 0, wall: '2026-01-05T09:30:00.000Z', type: 'evidence.missing' } as const;
  const known: Outcome = {
    ...bundle,
    journal: [{ ...told, what: FILES.alerts, reason: 'nobody asked for it' }],
  };
  expect(goneCheck(known)).toBeUndefined();
  // One that was killed: the judge found it as it is.
  const check: Check = {
    ...{ id: 'harness/bundle', group: 'harness', title: 'The bundle is whole', verdict: 'unknown' },
    ...{ message: 'alerts.ndjson is missing', informational: false, evidence: [] },
  };
  expect(goneCheck({ ...bundle, verdict: { ...bundle.verdict, checks: [check] } })).toBeUndefined();
});
