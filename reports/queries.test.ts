/** What the page shows as a query must give what the page shows, and a large bundle must give a small page. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILES, TABLES } from '../evidence/tables.ts';
import { type ReportBundle, readBundle } from './bundle.ts';
import { coreQuery, LEDGER_QUERY } from './html/result-sections.ts';
import { writeReports } from './index.ts';
import { writeSampleBundle } from './sample.ts';
import { bucketWidth } from './timeline.ts';

let dir: string;
let db: DuckDBConnection;
let bundle: ReportBundle;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-queries-'));
  await writeSampleBundle(dir, { taint: "'; DROP TABLE requests; --" });
  bundle = await readBundle(dir);
  db = await (await DuckDBInstance.create(':memory:')).connect();
  // As a person would have it who starts DuckDB in the bundle's directory.
  await db.run(`SET file_search_path = '${dir}'`);
});
afterAll(async () => {
  // Not there when the sample bundle could not be read.
  (db as DuckDBConnection | undefined)?.closeSync();
  await rm(dir, { recursive: true });
});

/** Reads a sample bundle whose requests were changed. @param change SQL after UPDATE t */
async function withRequests(change: string, look: (b: ReportBundle, path: string) => Promise<void>) {
  const changed = await mkdtemp(join(tmpdir(), 'faultline-changed-'));
  try {
    await writeSampleBundle(changed);
    const path = join(changed, FILES.requests);
    await db.run(`CREATE OR REPLACE TEMP TABLE t AS FROM read_parquet('${path}')`);
    await db.run(`UPDATE t ${change}`);
    await db.run(`COPY t TO '${path}' (FORMAT parquet)`);
    await look(await readBundle(changed), path);
  } finally {
    await rm(changed, { recursive: true });
  }
}

const rows = async (sql: string) => (await db.runAndReadAll(sql)).getRowObjectsJson();

describe('queries of the page', () => {
  it('give the points of each curve again', async () => {
    const drawn = bundle.timeline.tracks.filter((t) => t.lines.length > 0);
    expect(drawn.length).toBeGreaterThan(8);
    for (const track of drawn) {
      const first = track.query.split(';\nSELECT')[0] ?? '';
      const found = await rows(first);
      for (const line of track.lines.slice(0, 1)) {
        const at = new Map(found.map((r) => [Number(r.t), r]));
        for (const [t, value] of line.points) {
          const row = at.get(t);
          expect(row, `${track.id} at ${t}`).toBeDefined();
          if (row && line.name in row) expect(Number(row[line.name])).toBeCloseTo(value, 0);
        }
      }
    }
  });

  it('give the core metrics of the verdict again', async () => {
    expect(bundle.verdict.core).toHaveLength(10);
    for (const c of bundle.verdict.core) {
      const phase = bundle.verdict.phases.find((p) => p.name === c.phase);
      const [row] = await rows(coreQuery(c, ((phase?.endMs ?? 0) - (phase?.startMs ?? 0)) / 1000));
      expect(Number(row?.requests)).toBe(c.requests);
      expect(Number(row?.failed)).toBe(c.failed);
      expect(Number(row?.qps)).toBeCloseTo(c.qps ?? Number.NaN, 3);
      const quantiles = ((row?.p50_p95_p99_max_us ?? []) as string[]).map((us) => Number(us) / 1e6);
      const { p50, p95, p99, max } = c.responseTime;
      for (const [i, expected] of [p50, p95, p99, max].entries())
        expect(quantiles[i]).toBeCloseTo(expected ?? Number.NaN, 5);
    }
  });

  it('give the ledger of the verdict again', async () => {
    const found = await rows(LEDGER_QUERY);
    for (const l of bundle.verdict.ledger) {
      const { phase, ...counts } = found.find((r) => r.phase === l.phase) ?? {};
      expect(phase).toBe(l.phase);
      expect(Object.fromEntries(Object.entries(counts).map(([k, n]) => [k, Number(n)]))).toEqual({
        ...l,
        phase: undefined,
      });
    }
  });
});

describe('buckets', () => {
  it.each([
    [153_000, 400, 500],
    [400, 400, 1],
    [10, 400, 1],
    [3_600_000, 400, 10_000],
  ])('cut %s ms into at most %s pieces of %s ms', (span, buckets, width) => {
    expect(bucketWidth(span, buckets)).toBe(width);
    expect(span / width).toBeLessThanOrEqual(buckets);
  });

  it('show a generator that stalls as rate 0, not as no rate', async () => {
    const change = `SET sent_us = NULL, done_us = NULL, status = NULL, outcome = 'unsent'
      WHERE intended_us BETWEEN 60000000 AND 70000000`;
    await withRequests(change, async ({ timeline }) => {
      const line = (id: string, name: string) =>
        timeline.tracks.find((t) => t.id === id)?.lines.find((l) => l.name === name)?.points ?? [];
      const within = ([t]: [number, number]) => t > 61_000 && t < 69_000;
      const sent = line('rate-builds', 'sent').filter(within);
      expect(sent.length).toBe(7);
      expect(sent.every(([, rate]) => rate === 0)).toBe(true);
      expect(
        line('errors-builds', 'not sent')
          .filter(within)
          .every(([, rate]) => rate > 0),
      ).toBe(true);
      expect(line('latency-builds', 'p95').filter(within)).toHaveLength(0);
    });
  });

  it('do not draw a refused request as a fast answer, nor count it as one', async () => {
    // As k6 writes it: it says when the connection was refused.
    const change = `SET done_us = sent_us + 100, status = 0, outcome = 'failed'
      WHERE stream = 'builds' AND intended_us BETWEEN 60000000 AND 70000000`;
    await withRequests(change, async ({ timeline, verdict }, path) => {
      const p95 = timeline.tracks.find((t) => t.id === 'latency-builds')?.lines.find((l) => l.name === 'p95');
      expect(p95?.points.some(([t]) => t < 60_000)).toBe(true);
      expect(p95?.points.filter(([t]) => t > 61_000 && t < 69_000)).toEqual([]);
      const of = verdict.phases.find(({ startMs, endMs }) => startMs < 70_000 && endMs > 60_000);
      const core = verdict.core.find((c) => c.stream === 'builds' && c.phase === of?.name);
      const sql = coreQuery(core as NonNullable<typeof core>, 1).replace("'requests.parquet'", `'${path}'`);
      const [row] = await rows(sql);
      const quantiles = (row?.p50_p95_p99_max_us ?? []) as number[];
      expect([row?.mean_s, quantiles.at(-1)].map(String)).toEqual(['Infinity', 'Infinity']);
    });
  });

  it('make a small page of a million requests', async () => {
    const large = await mkdtemp(join(tmpdir(), 'faultline-large-'));
    try {
      await writeSampleBundle(large);
      await db.run('DROP TABLE IF EXISTS requests');
      await db.run(TABLES.requests);
      await db.run(`INSERT INTO requests SELECT 'builds', 'baseline', i, i * 150, i * 150 + 40,
        i * 150 + 9000 + (i * 7919) % 5000, 202, 'ok', false, 'e' || i, NULL FROM range(1000000) r(i)`);
      await db.run(`COPY requests TO '${join(large, FILES.requests)}' (FORMAT parquet, COMPRESSION zstd)`);
      const { html } = await writeReports(large, ['html']);
      expect((await stat(html ?? '')).size).toBeLessThan(1e6);
      const { timeline } = await readBundle(large);
      const rate = timeline.tracks.find((t) => t.id === 'rate-builds')?.lines[0]?.points ?? [];
      const total = rate.reduce((sum, [, perSecond]) => sum + (perSecond * timeline.bucketMs) / 1000, 0);
      expect(total).toBeGreaterThan(999_000);
      expect(total).toBeLessThan(1_001_000);
    } finally {
      await rm(large, { recursive: true });
    }
  });
});
