/** The reports of sample bundles: whole, tainted with markup, half, and broken. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILES } from '../evidence/tables.ts';
import { type Check, VerdictDocument } from '../evidence/verdict.ts';
import { readBundle, readOutcome } from './bundle.ts';
import { ResultEvent } from './cloudevent.ts';
import { renderPage } from './html/page.ts';
import { renderVerdictTable, writeIndex, writeReports } from './index.ts';
import { renderJUnit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';
import { writeSampleBundle } from './sample.ts';

const TAINT = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&\u0000\u001b[31m|`;
let root: string;
const at = (name: string) => join(root, name);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'faultline-reports-'));
  await writeSampleBundle(at('passing'));
  await writeSampleBundle(at('failing'), { variant: 'failing' });
  await writeSampleBundle(at('unknown'), { variant: 'unknown' });
  await writeSampleBundle(at('tainted'), { variant: 'failing', taint: TAINT });
  for (const name of ['passing', 'failing', 'unknown', 'tainted']) await writeReports(at(name));
});
afterAll(() => rm(root, { recursive: true }));

const text = (name: string, file: string) => readFile(join(at(name), file), 'utf8');
const verdictOf = async (name: string) => VerdictDocument.parse(JSON.parse(await text(name, FILES.verdict)));
const count = (where: string, what: RegExp) => [...where.matchAll(what)].length;

describe('report.html', () => {
  it('says the verdict first, then the claim, the reasons and what to do', async () => {
    const page = await text('failing', 'report.html');
    const order = [
      '<h1>',
      'Fail',
      '>Claim<',
      '>Why<',
      'accepted events lost',
      '>What to do next<',
      'id="timeline"',
    ];
    const places = order.map((piece) => page.indexOf(piece));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(await text('passing', 'report.html')).not.toContain('>Why<');
  });

  it('says of each clause of the claim whether it held, and leads to what judged it', async () => {
    const clausesOf = (page: string) =>
      [
        ...page.matchAll(
          /<li class="v-(\w+)"><span class="sign"[^>]*>.<\/span><span class="sr">\w+: <\/span><span>([\w ]+)/g,
        ),
      ].map(([, verdict, says]) => `${verdict}: ${says}`);
    const failing = await text('failing', 'report.html');
    expect(clausesOf(failing)).toEqual([
      'fail: Under 14 build commands and 32 invocations a second',
      'pass: BuilderServiceDown fires within 12 s of the effect and clears within 20 s',
      'pass: and the platform is back to its baseline within 30 s',
    ]);
    expect(failing).toMatch(/<a class="ev" href="#check-\d+-ledger-lost"[^>]*>ledger\/lost<\/a>/);
    expect(await text('failing', 'summary.md')).toContain('\n> ✓ and the platform is back');
  });

  it('names the images that ran by what the runtime took for them', async () => {
    const page = await text('passing', 'report.html');
    expect(page).toContain('1 image ran');
    expect(page).toContain('registry:5000/platform@sha256:4a5b');
  });

  it('shows where the time of failed and slow requests went, by their traces', async () => {
    const page = await text('passing', 'report.html');
    expect(page).toContain('builds, inject: failed after 812 ms');
    expect(page).toContain('knative-lambda-receiver<span class="sub">accept, failed</span>');
    expect(page).toContain('The store had no trace of 1 more request.');
    const [first, second] = [...page.matchAll(/<rect( class="bad")? x="([\d.]+)" width="([\d.]+)"/g)];
    expect(first?.slice(1)).toEqual([' class="bad"', '0.00', '100.00']);
    expect(Number(second?.[3])).toBeCloseTo(0.5);
    // Not asked for: no section, and nothing that is missing.
    await writeSampleBundle(at('untraced'));
    await unlink(join(at('untraced'), FILES.traces));
    const journal = (await text('untraced', FILES.journal))
      .split('\n')
      .filter((line) => !line.includes('traces.'));
    await writeFile(join(at('untraced'), FILES.journal), journal.join('\n'));
    await writeReports(at('untraced'));
    expect(await text('untraced', 'report.html')).not.toContain('id="traces"');
    expect(await text('untraced', 'report.html')).not.toContain('traces.ndjson');
  });

  it('loads nothing: no address to fetch from, and a policy that allows its own style and script by hash only', async () => {
    const page = await text('passing', 'report.html');
    expect(page).not.toMatch(/(?:src|href)="(?!#|data:)/);
    expect(page).not.toMatch(/@import|url\(|\sstyle="|\son\w+="/);
    const policy =
      /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^;]+; script-src 'sha256-/);
    expect(policy).not.toContain('unsafe');
  });

  it('links each measured number to a check that is there, with file, query, window and samples', async () => {
    const page = await text('passing', 'report.html');
    const links = [...page.matchAll(/class="ev" href="#([^"]+)"/g)].map((m) => m[1]);
    expect(links.length).toBeGreaterThan(30);
    for (const id of new Set(links)) expect(count(page, new RegExp(` id="${id}"`, 'g')), id).toBe(1);
    const verdict = await verdictOf('passing');
    expect(count(page, /<details class="check /g)).toBe(verdict.checks.length);
    expect(page).toContain('<strong>requests.parquet</strong> · 560 samples · phase baseline, 0 ms to 40 s');
  });

  it('has each id once', async () => {
    const ids = [...(await text('tainted', 'report.html')).matchAll(/ id="([^"]*)"/g)].map((m) => m[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('gives the command of the same run, with all that made it what it was', async () => {
    await writeSampleBundle(at('own'));
    const plan = JSON.parse(await text('own', FILES.plan));
    Object.assign(plan.target.detail, { platform: '../my platform' });
    Object.assign(plan.load, { pods: 4 });
    await writeFile(join(at('own'), FILES.plan), JSON.stringify(plan));
    const verdict = JSON.parse(await text('own', FILES.verdict));
    Object.assign(verdict.run, { target: 'kind', profile: 'mine', loadScale: { builds: 0.05 } });
    await writeFile(join(at('own'), FILES.verdict), JSON.stringify(verdict));
    await writeReports(at('own'));
    const page = await text('own', 'report.html');
    expect(page).toMatch(
      /faultline run \S+ --target kind --profile mine --platform &#39;\.\.\/my platform&#39; --time-scale 10 --seed 42 --load-scale builds=0\.05 --load-pods 4</,
    );
    // A plan has the profile's name, not where its file is.
    expect(page).toContain('in place of <code>mine</code> put the file of your profile');
  });

  it('takes the names of the profiles that ship as they are', async () => {
    const outcome = await readBundle(at('passing'));
    const shipped = await readdir(new URL('../targets/profiles/', import.meta.url));
    expect(shipped.length).toBeGreaterThan(1);
    for (const file of shipped) {
      const profile = file.replace('.yaml', '');
      const run = { ...outcome.verdict.run, profile };
      expect(renderPage({ ...outcome, verdict: { ...outcome.verdict, run } })).not.toContain(
        'the file of your profile',
      );
    }
  });

  it('judges again where the bundle is, which only the reader knows', async () => {
    const page = await text('passing', 'report.html');
    expect(page).toContain('in the bundle’s directory');
    expect(page).toContain('<code>faultline judge .\nfaultline report .</code>');
    expect(page).not.toContain('reports/runs/');
  });

  it('has the same bytes when it is written again', async () => {
    const before = await text('failing', 'report.html');
    await writeReports(at('failing'));
    expect(await text('failing', 'report.html')).toBe(before);
  });

  it('keeps names of the bundle inert', async () => {
    const page = await text('tainted', 'report.html');
    expect(count(page, /<script/g)).toBe(2);
    // Within quotes it is text: what is left are the elements and the names of their attributes.
    expect(page.replace(/"[^"]*"/g, '')).not.toMatch(/<img|<[^>]*onerror/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('is at most 1 MB', async () => expect((await text('tainted', 'report.html')).length).toBeLessThan(1e6));
});

describe('junit.xml', () => {
  it('has a case for each check and one for the verdict, and counts them', async () => {
    for (const name of ['passing', 'failing', 'unknown', 'tainted']) {
      const verdict = await verdictOf(name);
      const xml = await text(name, 'junit.xml');
      const counted = verdict.checks.filter((c) => !c.informational);
      const of = (kind: string) =>
        counted.filter((c) => c.verdict === kind).length + (verdict.verdict === kind ? 1 : 0);
      expect(count(xml, /<testcase /g)).toBe(verdict.checks.length + 1);
      expect(count(xml, /<failure /g)).toBe(of('fail'));
      expect(count(xml, /<error /g)).toBe(of('unknown') + of('error'));
      expect(xml).toContain(
        `<testsuites name="faultline" tests="${verdict.checks.length + 1}" failures="${of('fail')}" errors="${of('unknown') + of('error')}"`,
      );
    }
    expect(count(await text('failing', 'junit.xml'), /<failure /g)).toBeGreaterThan(1);
    expect(count(await text('unknown', 'junit.xml'), /<error /g)).toBeGreaterThan(1);
  });

  it('passes what is for information, and says what it found', async () => {
    const outcome = await readOutcome(at('passing'));
    const [first, ...rest] = outcome.verdict.checks as [Check, ...Check[]];
    const checks = [
      { ...first, informational: true, verdict: 'fail' as const, message: 'too slow' },
      ...rest,
    ];
    const xml = renderJUnit({ ...outcome, verdict: { ...outcome.verdict, checks } });
    expect(xml).toContain('for information, fail: too slow');
    expect(xml).not.toContain('<failure');
  });

  it('is never green when the verdict is not pass, even without checks', async () => {
    const outcome = await readOutcome(at('passing'));
    const silent = { ...outcome.verdict, checks: [] };
    for (const [verdict, tag] of [
      ['fail', 'failure'],
      ['unknown', 'error'],
      ['error', 'error'],
    ] as const)
      expect(renderJUnit({ ...outcome, verdict: { ...silent, verdict } })).toContain(`<${tag} `);
  });

  it('holds no character that XML forbids', async () =>
    expect(await text('tainted', 'junit.xml')).not.toMatch(/[\p{Cc}--[\t\n\r]]|<script|<img/v));
});

describe('summary.md', () => {
  it('has verdict, reasons and tables, and fits a step summary', async () => {
    const markdown = await text('failing', 'summary.md');
    expect(markdown).toMatch(/^## ✗ FAIL: builds-builder-killed\n/);
    expect(markdown).toContain('9 of 2093 accepted events lost');
    for (const title of ['Objectives', 'Faults', 'Alerts', 'Recovery', 'Ledger of events'])
      expect(markdown).toContain(`### ${title}`);
    expect(Buffer.byteLength(markdown)).toBeLessThan(1024 * 1024);
  });

  it('marks what is for information only', async () => {
    const outcome = await readBundle(at('passing'));
    const inject = outcome.verdict.objectives.filter(
      ({ checkId }) => checkId === 'objective/builds-ok-p95/inject',
    );
    const objectives = inject.map((o) => ({ ...o, verdict: 'fail' as const }));
    const summary = renderMarkdown({ ...outcome, verdict: { ...outcome.verdict, objectives } });
    expect(objectives).toHaveLength(1);
    expect(summary).toContain('| ✗ | builds response time p95 (for information) | inject |');
  });

  it('keeps names of the bundle inert: no markup, and each row has its columns', async () => {
    const markdown = await text('tainted', 'summary.md');
    expect(markdown).not.toMatch(/<(?:script|img)/);
    const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
    const widths = new Set(rows.filter((r) => r.includes('process-kill')).map((r) => count(r, /(?<!\\)\|/g)));
    expect(widths).toEqual(new Set([8]));
  });
});

describe('the CloudEvent', () => {
  it('is one that the SDK reads back, with the scenario as subject', async () => {
    const body = await text('failing', 'result.cloudevent.json');
    const read = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body });
    const event = new CloudEvent(read as CloudEvent, true);
    expect(event.validate()).toBe(true);
    const parsed = ResultEvent.parse(JSON.parse(body));
    expect(parsed).toMatchObject({
      type: 'dev.faultline.run.finished',
      subject: 'builds-builder-killed',
      time: '2026-01-05T09:32:33.000Z',
      data: { verdict: 'fail', notPassed: ['ledger/lost'] },
    });
  });
});

describe('half a bundle', () => {
  const half = async (name: string, change: (dir: string) => Promise<void>) => {
    const dir = at(name);
    await cp(at('passing'), dir, { recursive: true });
    await change(dir);
    const written = await writeReports(dir);
    return { written, page: await text(name, 'report.html'), xml: await text(name, 'junit.xml') };
  };

  it.each(Object.values(FILES).filter((f) => f.includes('.') && f !== FILES.report))(
    'says that %s is not there',
    async (file) => {
      const { page } = await half(`no-${file}`, (dir) => unlink(join(dir, file)));
      expect(page).toContain(`<code>${file}</code>: the file is not in the bundle`);
      expect(page).toContain(
        file === FILES.verdict ? '<span class="word">Unknown</span>' : '<span class="word">Pass</span>',
      );
    },
  );

  it('is unknown, and an error for CI, without a verdict', async () => {
    const { written, page, xml } = await half('not-judged', (dir) => unlink(join(dir, FILES.verdict)));
    expect(xml).toContain('errors="1"');
    expect(written.json).toBeUndefined();
    expect(page).toContain('faultline judge');
    // What the journal and the alerts say is drawn all the same.
    expect(page).toContain('"BuilderServiceDown"');
    expect(page).toContain('"kill-builder"');
    const event = ResultEvent.parse(JSON.parse(await text('not-judged', 'result.cloudevent.json')));
    expect(event.data.verdict).toBe('unknown');
  });

  it('tells a cut file from a missing one', async () => {
    const { page } = await half('cut', async (dir) => {
      await truncate(join(dir, FILES.requests), 500);
      await truncate(join(dir, FILES.journal), 900);
      await writeFile(join(dir, FILES.plan), '{"version": 1}');
    });
    expect(page).toMatch(/<code>requests.parquet<\/code>: (?!the file is not)/);
    expect(page).toContain('<code>journal.ndjson</code>: 1 of its lines cannot be read');
    expect(page).toContain('<code>plan.json</code>: does not match its schema');
    expect(page).not.toContain(root);
  });

  it('reports on an empty directory', async () => {
    await mkdir(at('empty'));
    await writeReports(at('empty'));
    const page = await text('empty', 'report.html');
    expect(page).toContain('<span class="word">Unknown</span>');
    expect(count(page, /the file is not in the bundle/g)).toBeGreaterThanOrEqual(7);
  });
});

describe('several runs', () => {
  it('links each report from where the index is, with its verdict', async () => {
    const file = await writeIndex([at('passing'), at('failing'), at('tainted')], at('index.html'));
    const page = await readFile(file, 'utf8');
    expect(page).toContain('href="passing/report.html"');
    expect(page).toContain('href="failing/report.html"');
    expect(page).toContain('2 fail');
    expect(page).not.toMatch(/<script|<img/);
  });

  it('prints a table for the terminal, in colour only when asked', async () => {
    const verdicts = [await verdictOf('passing'), await verdictOf('unknown'), await verdictOf('tainted')];
    const plain = renderVerdictTable(verdicts, { colour: false, width: 100 });
    const lines = plain.split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^builds-builder-killed +✓ pass +2 min 33 s +\d+ checks passed$/);
    expect(lines[2]).toMatch(/\? unknown .*too few samples/);
    expect(plain).not.toMatch(/[\p{Cc}--\n]/v);
    expect(lines.every((line) => [...line].length <= 100)).toBe(true);
    expect(renderVerdictTable(verdicts, { colour: true })).toContain('\u001b[31m');
  });
});
