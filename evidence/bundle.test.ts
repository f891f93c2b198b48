import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EvidenceError } from '../base/errors.ts';
import { Bundle } from './bundle.ts';
import { copySql, Database } from './duckdb.ts';
import { passingRun, writeBundle } from './testing.ts';

let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'faultline-bundle-'));
  await writeBundle(dir, passingRun());
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a bundle', () => {
  it('gives back what was written, the journal rebased to the start of the run', async () => {
    const run = passingRun();
    const bundle = Bundle.open(dir);
    expect(bundle.plan).toEqual(run.plan);
    const journal = await bundle.journal();
    expect(journal).toMatchObject({ torn: false, started: true, gap: null });
    expect(journal.entries.map((e) => e.t)).toEqual(run.journal.map((e) => e.t));
    expect((await bundle.alerts()).entries).toEqual(run.alerts);
    using db = await Database.open();
    await bundle.attach(db, 'requests', 'r');
    const rows = await db.rows('SELECT * FROM r ORDER BY stream, n');
    expect(rows).toEqual(
      run.requests.toSorted((a, b) => (a.stream === b.stream ? a.n - b.n : a.stream < b.stream ? -1 : 1)),
    );
  });

  it('leaves out a torn last line and says so', async () => {
    const before = (await Bundle.open(dir).journal()).entries.length;
    appendFileSync(join(dir, 'journal.ndjson'), '{"seq":99,"t":1,"wa');
    expect(await Bundle.open(dir).journal()).toMatchObject({ torn: true, entries: { length: before } });
  });

  it('refuses garbage anywhere else, with file and line', async () => {
    const bundle = Bundle.open(dir);
    appendFileSync(join(dir, 'alerts.ndjson'), '{"source":"prometheus","t":1}\n');
    await expect(bundle.alerts()).rejects.toThrow(/^alerts\.ndjson:6: alert: /);
    writeFileSync(join(dir, 'alerts.ndjson'), 'x\n{}');
    await expect(bundle.alerts()).rejects.toThrow('alerts.ndjson:1: not valid JSON');
    await expect(bundle.alerts()).rejects.toThrow(EvidenceError);
  });

  it('reads requests that were written before there were reasons, and no other columns', async () => {
    const file = join(dir, 'requests.parquet');
    using db = await Database.open();
    await db.run(`CREATE TABLE whole AS FROM read_parquet('${file}')`);
    const attach = async (select: string) => {
      await db.run(copySql(`${select} FROM whole`, file));
      await Bundle.open(dir).attach(db, 'requests', 'r');
      return (await db.columns('r')).length;
    };
    expect(await attach('SELECT *')).toBe(11);
    expect(await attach('SELECT * EXCLUDE error_code')).toBe(10);
    for (const other of [
      'SELECT * EXCLUDE cold',
      'SELECT * EXCLUDE (error_code, event_id)',
      'SELECT * REPLACE (error_code::INTEGER AS error_code)',
      'SELECT * RENAME (error_code AS code)',
      'SELECT *, 1 AS more',
    ])
      await expect(attach(other), other).rejects.toThrow(/^requests\.parquet has the columns .*: expected /);
  });

  it('does not name the path of this machine', async () => {
    writeFileSync(join(dir, 'ledger.parquet'), 'PAR1 but no more');
    using db = await Database.open();
    const error = await Bundle.open(dir)
      .attach(db, 'ledger', 'l')
      .catch((e: Error) => e);
    expect((error as Error).message).toContain('ledger.parquet can not be read');
    expect((error as Error).message).not.toContain(dir);
  });
});

describe('the database', () => {
  it('takes no row with an unknown field, and no statement hidden behind another', async () => {
    using db = await Database.open();
    await db.createTable('series');
    await expect(db.append('series', [{ querry: 'x' }])).rejects.toThrow('no column "querry"');
    await expect(db.rows('SELECT 1; SELECT 2')).rejects.toThrow();
    await expect(db.row('SELECT 1 WHERE false')).rejects.toThrow('expected one row');
    await expect(db.rows('SELECT 9007199254740993 AS x')).rejects.toThrow('beyond');
  });

  it('once confined reads and writes nothing elsewhere', async () => {
    using db = await Database.open();
    await db.confine(dir);
    await expect(db.rows("SELECT * FROM read_text('/etc/hostname')")).rejects.toThrow();
    await expect(db.run(`COPY (SELECT 1) TO '${join(tmpdir(), 'faultline-escaped.csv')}'`)).rejects.toThrow();
    await expect(db.run('SET enable_external_access = true')).rejects.toThrow();
    expect(await db.rows(`SELECT count(*) AS n FROM '${join(dir, 'series.parquet')}'`)).toHaveLength(1);
  });

  it('stores a request with its event id in few bytes', async () => {
    using db = await Database.open();
    await db.createTable('requests');
    await db.run(
      `INSERT INTO requests SELECT 'invocations', 'baseline', i, i * 1000, i * 1000 + hash(i) % 900, i * 1000 + 4000 + hash(i + 7) % 400000, 200, 'ok', false, 'r-20250101-abcdef.invocations.0.' || i, NULL FROM range(100000) t(i)`,
    );
    const file = join(dir, 'requests.parquet');
    await db.writeParquet('requests', file);
    expect(statSync(file).size / 100_000).toBeLessThan(12);
  });
});
