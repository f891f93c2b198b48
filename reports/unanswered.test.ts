/** Requests without an answer: in the page, in the summary, and by a query that gives them again. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copySql, Database } from '../evidence/duckdb.ts';
import { FILES } from '../evidence/tables.ts';
import { readBundle } from './bundle.ts';
import { writeReports } from './index.ts';
import { writeSampleBundle } from './sample.ts';

let dir: string;
let db: Database;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-unanswered-'));
  db = await Database.open();
  await writeSampleBundle(dir);
  await db.run(`CREATE TABLE requests AS FROM read_parquet('${join(dir, FILES.requests)}')`);
  await db.run(`UPDATE requests SET status = 0, outcome = 'failed', error_code = if(n % 3 = 0, 1220, 1212)
    WHERE stream = 'builds' AND n BETWEEN 600 AND 611`);
  await db.run(
    `UPDATE requests SET status = 0, outcome = 'timeout', error_code = 1050 WHERE stream = 'builds' AND n = 5`,
  );
  // k6 was stopped.
  await db.run(
    `UPDATE requests SET status = 0, outcome = 'failed', done_us = NULL WHERE stream = 'invocations' AND n = 4790`,
  );
});
afterAll(async () => {
  db.close();
  await rm(dir, { recursive: true });
});

/** Writes the changed requests, and the reports of them. */
async function report(select: string) {
  await db.run(copySql(select, join(dir, FILES.requests)));
  await writeReports(dir, ['html', 'markdown']);
  const [page, summary] = await Promise.all(
    ['report.html', 'summary.md'].map((file) => readFile(join(dir, file), 'utf8')),
  );
  return { page: String(page), summary: String(summary), bundle: await readBundle(dir) };
}

it('are counted by reason and phase, in the order of time, with what gives the numbers again', async () => {
  const { page, summary, bundle } = await report('FROM requests');
  const { rows, query } = bundle.unanswered;
  expect(rows.map((r) => [r.stream, r.phase, r.code, r.reason, r.requests])).toEqual([
    ['builds', 'baseline', 1050, 'timeout', 1],
    ['builds', 'inject', 1220, 'connection reset by the other side', 4],
    ['builds', 'inject', 1212, 'connection refused', 8],
    ['invocations', 'recovered', null, 'still under way when the load generator was stopped', 1],
  ]);
  expect(rows[1]?.fromMs).toBeGreaterThan(42_000);
  expect(rows[1]?.toMs).toBeGreaterThan(rows[1]?.fromMs ?? Infinity);
  const again = await db.rows(query.replace(`'${FILES.requests}'`, `'${join(dir, FILES.requests)}'`));
  expect(again.map((r) => r.requests)).toEqual([1, 4, 8, 1]);

  expect(page).toContain('<h2 id="unanswered-h">Requests without an answer</h2>');
  expect(page).toContain('<a href="#unanswered">No answer</a>');
  expect(page).toMatch(
    /connection refused<span class="sub">k6’s code 1212<\/span><\/th><td>builds<\/td><td>inject<\/td><td class="n">8<\/td>/,
  );
  expect(summary).toContain('### Requests without an answer\n\n| Reason | Stream | Phase | Requests |');
  expect(summary).toContain('\n| connection refused | builds | inject | 8 |\n');
});

it('of a bundle that was written before are counted without a reason, and nothing is missing', async () => {
  const { page, summary, bundle } = await report('SELECT * EXCLUDE error_code FROM requests');
  expect(bundle.missing).toEqual([]);
  expect(bundle.timeline.tracks.length).toBeGreaterThan(8);
  const { rows, query } = bundle.unanswered;
  expect(rows.map((r) => [r.stream, r.phase, r.code, r.reason, r.requests])).toEqual([
    ['builds', 'baseline', null, 'reason not recorded', 1],
    ['builds', 'inject', null, 'reason not recorded', 12],
    ['invocations', 'recovered', null, 'still under way when the load generator was stopped', 1],
  ]);
  const again = await db.rows(query.replace(`'${FILES.requests}'`, `'${join(dir, FILES.requests)}'`));
  expect(again.map((r) => r.requests)).toEqual([1, 12, 1]);
  expect(page).toContain('reason not recorded');
  expect(summary).toContain('| reason not recorded | builds | inject | 12 |');
});

it('are not spoken of where all were answered', async () => {
  const { page, summary } = await report('FROM requests WHERE status > 0');
  expect(page).not.toContain('id="unanswered"');
  expect(page).not.toContain('No answer');
  expect(summary).not.toContain('without an answer');
});
