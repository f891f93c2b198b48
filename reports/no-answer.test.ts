/** Where nothing was answered the response time is infinite, which a verdict writes as null: that is not "no value". */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CoreMetrics, VerdictDocument } from '../evidence/verdict.ts';
import { type ReportBundle, readBundle } from './bundle.ts';
import { renderPage } from './html/page.ts';
import { renderMarkdown } from './markdown.ts';
import { writeSampleBundle } from './sample.ts';

let dir: string;
let bundle: ReportBundle;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-no-answer-'));
  await writeSampleBundle(dir);
  bundle = await readBundle(dir);
});
afterAll(() => rm(dir, { recursive: true }));

const changed = (verdict: Partial<VerdictDocument>): ReportBundle => ({
  ...bundle,
  verdict: { ...bundle.verdict, ...verdict },
});
/** The core metrics, those of builds in steady-fault changed. */
const coreWith = (change: Partial<CoreMetrics>) =>
  changed({
    core: bundle.verdict.core.map((c) =>
      c.stream === 'builds' && c.phase === 'steady-fault' ? { ...c, ...change } : c,
    ),
  });
const none = { mean: null, p50: 0.2, p95: null, p99: null, max: null };
const worst = (page: string) =>
  /Worst p95<\/span><span class="value">([^<]*)<\/span><span class="note">([^<]*)</.exec(page)?.slice(1);
const rowOf = (page: string, phase: string) =>
  new RegExp(`<th scope="row">${phase}<span class="sub">Prometheus.*`).exec(
    page.slice(page.indexOf('id="core"')),
  )?.[0];

it('is the worst of the tile', () => {
  expect(worst(renderPage(coreWith({ responseTime: none })))).toEqual(['no answer', 'builds, steady-fault']);
  // Nothing was sent: nothing was slow.
  const idle = coreWith({ responseTime: none, requests: 7, unsent: 7 });
  expect(worst(renderPage(idle))?.[0]).toMatch(/ms$/);
});

it('is said in the table of core metrics, but not of what was not sent', () => {
  const page = renderPage(coreWith({ responseTime: none }));
  expect([...(rowOf(page, 'steady-fault') ?? '').matchAll(/no answer/g)]).toHaveLength(3);
  const idle = renderPage(coreWith({ responseTime: none, requests: 7, unsent: 7 }));
  expect(rowOf(idle, 'steady-fault')).not.toContain('no answer');
});

it('is said of an objective of response times, in the page and in the summary', () => {
  const checkId = 'objective/builds-ok-p95/baseline';
  const measuring = (samples: number, file = 'requests.parquet') =>
    changed({
      objectives: bundle.verdict.objectives
        .filter((o) => o.checkId === checkId)
        .map((o) => ({ ...o, verdict: 'fail' as const, measured: null, samples })),
      checks: bundle.verdict.checks.map((c) =>
        c.id === checkId ? { ...c, evidence: c.evidence.map((e) => ({ ...e, file })) } : c,
      ),
    });
  const summary = (b: ReportBundle) => /\| builds response time p95 .*/.exec(renderMarkdown(b))?.[0];
  expect(summary(measuring(40))).toContain('| no answer | < 0.5 s |');
  expect(renderPage(measuring(40))).toContain('>no answer</a>');
  // Accepted events that were never processed.
  expect(summary(measuring(40, 'ledger.parquet'))).toContain('| not processed | < 0.5 s |');
  // Nothing was measured; and a gauge has no answers.
  expect(summary(measuring(0))).toContain('| – | < 0.5 s |');
  expect(summary(measuring(40, 'series.parquet'))).toContain('| – | < 0.5 s |');
});
