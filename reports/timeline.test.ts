/** What the timeline shows of a run, and what it leaves out. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JournalEntry } from '../evidence/journal.ts';
import { FILES } from '../evidence/tables.ts';
import type { AlertResult } from '../evidence/verdict.ts';
import { type ReportBundle, readBundle } from './bundle.ts';
import { renderPage } from './html/page.ts';
import { alertLanes } from './lanes.ts';
import { renderMarkdown } from './markdown.ts';
import { writeSampleBundle } from './sample.ts';

let root: string;
let bundle: ReportBundle;
const track = (id: string) => bundle.timeline.tracks.find((t) => t.id === id);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'faultline-timeline-'));
  await writeSampleBundle(join(root, 'sample'));
  bundle = await readBundle(join(root, 'sample'));
});
afterAll(() => rm(root, { recursive: true }));

describe('the axis', () => {
  it('counts the journal from run.started, though it was opened before', async () => {
    const raw = await readFile(join(root, 'sample', FILES.journal), 'utf8');
    const entries = raw
      .split('\n')
      .filter(Boolean)
      .map((line) => JournalEntry.parse(JSON.parse(line)));
    expect(entries.find((e) => e.type === 'run.started')?.t).toBe(15_000);
    const killed = bundle.timeline.marks.find((m) => m.text === 'builder exited (SIGKILL)');
    expect(killed?.t).toBe(40_300);
  });

  it('ends with the drain, not with the taking down of the target', () => {
    const { endMs, marks } = bundle.timeline;
    expect(bundle.journal.at(-1)?.t).toBe(153_000);
    expect(endMs).toBeGreaterThanOrEqual(151_200);
    expect(endMs).toBeLessThan(152_000);
    expect(marks.map((m) => m.text)).toContain('drained');
    expect(marks.every((m) => m.t >= 0 && m.t <= endMs)).toBe(true);
  });

  it('ends where an interrupted run stopped, whatever was planned after', async () => {
    const dir = join(root, 'interrupted');
    await writeSampleBundle(dir);
    const lines = (await readFile(join(dir, FILES.journal), 'utf8')).split('\n').filter(Boolean);
    const kept = lines.map((line) => JSON.parse(line) as JournalEntry).filter((e) => e.t < 15_000 + 20_000);
    const last = kept.at(-1) as JournalEntry;
    const ended = {
      seq: last.seq + 1,
      t: 36_000,
      wall: last.wall,
      type: 'run.ended',
      outcome: 'interrupted',
    };
    await writeFile(join(dir, FILES.journal), [...kept, ended].map((e) => JSON.stringify(e)).join('\n'));
    for (const file of [FILES.verdict, FILES.requests, FILES.ledger, FILES.alerts]) await rm(join(dir, file));
    const { timeline } = await readBundle(dir);
    expect(timeline.endMs).toBeGreaterThanOrEqual(21_000);
    expect(timeline.endMs).toBeLessThan(25_000);
    expect(timeline.marks.at(-1)?.text).toBe('run interrupted');
  });
});

describe('the tracks', () => {
  it('in sight are the load, the events, and four of the platform; the others are below', () => {
    const inSight = bundle.timeline.tracks.filter((t) => !t.more).map((t) => t.title);
    expect(inSight).toEqual([
      'builds: request rate',
      'builds: errors',
      'builds: response time',
      'invocations: request rate',
      'invocations: errors',
      'invocations: response time',
      'Events: from sent to processed',
      'Pods',
      'Queue depth',
      'Build jobs running',
      'Operator’s work queue',
    ]);
    const more = bundle.timeline.tracks.filter((t) => t.more).map((t) => t.title);
    expect(more).toEqual(['builds: rate as the platform counts it']);
  });

  it('have only queues of the platform, and of those only what ever was not empty', () =>
    expect(track('series-range-queue_depth')?.lines.map((l) => l.name)).toEqual(['build-commands']));

  it('leave out what equals a drawn one, and name what was zero all the time', () => {
    expect(track('series-range-kaniko_jobs')?.lines[0]?.points.some(([, v]) => v > 0)).toBe(true);
    expect(track('series-range-objective.kaniko-jobs')).toBeUndefined();
    expect(bundle.timeline.zero).toEqual(['Cold starts']);
    expect(renderPage(bundle)).toContain('Zero all the time, so not drawn: Cold starts.');
  });

  it('hold the number of pods until it changes', () => {
    const line = track('series-observed-pods')?.lines[0];
    expect(line?.step).toBe(true);
    expect(line?.points.map(([, v]) => v)).toEqual([1, 3, 4]);
  });

  it('show one request a second as one a second, and none as zero', async () => {
    const dir = join(root, 'slow');
    await writeSampleBundle(dir);
    const path = join(dir, FILES.requests);
    const db = await (await DuckDBInstance.create(':memory:')).connect();
    // 20 requests, one a second; then nothing for 10 s; then 10 more.
    await db.run(`CREATE TABLE t AS FROM read_parquet('${path}') WHERE stream = 'builds' AND n < 30`);
    await db.run(`UPDATE t SET intended_us = (n + if(n < 20, 0, 10)) * 1000000, sent_us = (n + if(n < 20, 0, 10)) * 1000000 + 500,
      done_us = (n + if(n < 20, 0, 10)) * 1000000 + 9000`);
    await db.run(`COPY t TO '${path}' (FORMAT parquet)`);
    db.closeSync();
    // More buckets than the run has seconds, as in every short run.
    const { timeline } = await readBundle(dir, 5000);
    const lines = timeline.tracks.find((t) => t.id === 'rate-builds')?.lines ?? [];
    expect(lines.map((l) => l.name)).toEqual(['intended', 'sent']);
    for (const { points } of lines)
      expect(points.map(([, rate]) => rate)).toEqual([
        ...Array.from({ length: 20 }, () => 1),
        ...Array.from({ length: 10 }, () => 0),
        ...Array.from({ length: 10 }, () => 1),
      ]);
  });
});

it('says how many alerts stayed silent, and names them', () => {
  const page = renderPage(bundle);
  expect(bundle.timeline.silent).toHaveLength(7);
  expect(page).toMatch(/<summary>7 alerts [^<]*silent/);
  expect(bundle.timeline.alerts.map((lane) => lane.name)).not.toContain('BuildFailed');
});

describe('an alert that was not seen to move', () => {
  const changed = (alert: string, change: Partial<AlertResult>): ReportBundle => {
    const alerts = bundle.verdict.alerts.map((a) => (a.alert === alert ? { ...a, ...change } : a));
    const verdict = { ...bundle.verdict, alerts };
    const { phases, endMs } = bundle.timeline;
    const lanes = alertLanes({ ...bundle, verdict, phases, buckets: 1 }, endMs);
    return { ...bundle, verdict, timeline: { ...bundle.timeline, ...lanes } };
  };
  const rows = (summary: string) =>
    [...summary.matchAll(/^\| . \| (\w+) \| m[a-z ]+ fire \|/gm)].map((m) => m[1]);

  it('did not stay silent when nobody could see it', () => {
    const blind = changed('BuildFailed', { verdict: 'unknown' });
    expect(blind.timeline.silent).toHaveLength(6);
    expect(blind.timeline.alerts.map((lane) => lane.name)).not.toContain('BuildFailed');
    const page = renderPage(blind);
    expect(page).toMatch(/<summary>6 alerts stayed silent through the run/);
    expect(page).toContain(
      'Not drawn: not seen to move, but their checks do not say that they stayed silent: BuildFailed.',
    );
    const row = /<th scope="row">BuildFailed<span.*/.exec(page)?.[0];
    expect(row).toContain('not seen');
    expect(row).not.toMatch(/silent<\/span>|never/);
    expect(rows(renderMarkdown(blind))).toContain('BuildFailed');
    expect(renderMarkdown(blind)).toContain('6 other alerts stayed silent.');
    expect(renderPage(bundle)).not.toContain('Not drawn');
  });

  it('did not when it was delivered', () => {
    const delivered = [{ t: 50_000, state: 'firing' as const }];
    const heard = changed('BuildFailed', { verdict: 'pass', expect: 'may-fire', delivered });
    expect(rows(renderMarkdown(heard))).toContain('BuildFailed');
    expect(renderMarkdown(heard)).toContain('6 other alerts stayed silent.');
    expect(renderPage(heard)).toContain('6 other alerts stayed silent, as promised');
  });
});

it('counts the events of the run once in the tile', async () => {
  const { verdict } = bundle;
  const [first, ...rest] = verdict.ledger;
  if (!first) throw new Error('the sample has a ledger');
  const sum = (key: 'accepted' | 'lost') => verdict.ledger.reduce((total, l) => total + l[key], 0);
  const run = { ...first, phase: 'run', accepted: sum('accepted'), lost: sum('lost') + 55 };
  const page = renderPage({ ...bundle, verdict: { ...verdict, ledger: [first, ...rest, run] } });
  const tile = /Events lost<\/span><span class="value">([^<]*)<\/span><span class="note">([^<]*)</.exec(page);
  expect(tile?.[1]).toBe(String(sum('lost') + 55));
  expect(tile?.[2]?.replace(/\D/g, '')).toBe(String(sum('accepted')));
  expect(page).not.toMatch(/\b(?:0|1) mores\b/);
  expect(/\d+ more for information/.test(page)).toBe(true);
});
