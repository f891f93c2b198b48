import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import type { Stream } from '../../evidence/plan.ts';
import { importRequests } from './import.ts';
import { readRequests, stream } from './test-tools.ts';

const ORIGIN_MS = 1_800_000_000_000;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-import-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** RFC 3339 with nine digits, as k6 writes it; `ms` from the origin. */
function time(ms: number): string {
  const whole = Math.floor(ms);
  const nanos = Math.round((ms - whole) * 1e6);
  return `${new Date(ORIGIN_MS + whole).toISOString().slice(0, -1)}${String(nanos).padStart(6, '0')}Z`;
}

const point = (metric: string, ms: number, value: number, scenario: string, record?: string): string =>
  `{"metric":"${metric}","type":"Point","data":{"time":"${time(ms)}","value":${value},"tags":{"scenario":"${scenario}"}${
    record === undefined ? '' : `,"metadata":{"r":"${record}"}`
  }}}\n`;
/** The lines of one request from `from` to `to`, ms from the origin; among them one that nobody must read. */
const request = (scenario: string, from: number, to: number, record: string): string =>
  point('http_req_duration', to, to - from, scenario, '99 500 f') +
  point('iteration_duration', to, to - from, scenario, record);
const dropped = (scenario: string, at: number): string => point('dropped_iterations', at, 1, scenario);
const HEADER =
  '{"type":"Metric","data":{"name":"iteration_duration","type":"trend"},"metric":"iteration_duration"}\n';

async function run(streams: Stream[], raw: string) {
  const rawFile = join(dir, 'k6.json');
  const outFile = join(dir, 'requests.parquet');
  await writeFile(rawFile, HEADER + raw);
  const options = { rawFile, runId: 'run-1', streams, originEpochUs: ORIGIN_MS * 1000, outFile };
  const result = await importRequests(options);
  return { result, rows: await readRequests(outFile), options };
}

test('sent and dropped requests fill the slots in time order', async () => {
  // 4/s for 1 s, then 2/s for 1 s: slots at 0, 250, 500, 750 | 1000, 1500. k6 began 3.2 ms after the origin.
  const s = stream('web', 'events', [
    ['baseline', 1000, 4],
    ['inject', 1000, 2],
  ]);
  const { result, rows } = await run(
    [s],
    request('web__0', 3.2, 10, `0 200 oc @${ORIGIN_MS + 3}`) +
      dropped('web__0', 503.3) +
      request('web__0', 753.4, 760, '2 500 f') +
      request('web__0', 253.7, 900, '1 0 t') +
      request('web__1', 1003.6, 1010, `0 202 o @${ORIGIN_MS + 1003}`) +
      request('web__1', 1504, 1510, '1 0 f'),
  );
  expect(result).toEqual({ rows: 6, unsent: 1, unanswered: 0, offsetUs: 3200 });
  expect(rows).toEqual(
    [
      ['baseline', 0, 3200, 3200, 10_000, 200, 'ok', true, 'run-1.web.0.0'],
      ['baseline', 1, 253_200, 253_700, 900_000, 0, 'timeout', false, 'run-1.web.0.1'],
      ['baseline', 2, 503_200, null, null, null, 'unsent', false, null],
      ['baseline', 3, 753_200, 753_400, 760_000, 500, 'failed', false, 'run-1.web.0.2'],
      ['inject', 4, 1_003_200, 1_003_600, 1_010_000, 202, 'ok', false, 'run-1.web.1.0'],
      ['inject', 5, 1_503_200, 1_504_000, 1_510_000, 0, 'failed', false, 'run-1.web.1.1'],
    ].map(([phase, n, intended_us, sent_us, done_us, status, outcome, cold, event_id]) => ({
      ...{ stream: 'web', phase, n, intended_us, sent_us, done_us, status, outcome, cold, event_id },
    })),
  );
});

test('a generator that is late from its first request on does not hide it', async () => {
  // The scenario began at 5 ms, and its promptest request left 400 ms later: 1 ms at most may be the clock's.
  const { rows, result } = await run(
    [stream('web', 'events', [['baseline', 1000, 2]])],
    request('web__0', 405, 410, `0 202 o @${ORIGIN_MS + 5}`) + request('web__0', 905, 910, '1 202 o'),
  );
  expect(result.offsetUs).toBe(6000);
  expect(rows.map((r) => (r.sent_us ?? 0) - r.intended_us)).toEqual([399_000, 399_000]);
});

test('a scenario that k6 started late counts as late requests, not as a later schedule', async () => {
  const { rows } = await run(
    [
      stream('web', 'events', [
        ['a', 1000, 1],
        ['b', 1000, 1],
      ]),
    ],
    request('web__0', 2, 5, `0 202 o @${ORIGIN_MS + 2}`) +
      request('web__1', 1300, 1310, `0 202 o @${ORIGIN_MS + 1300}`),
  );
  expect(rows.map((r) => (r.sent_us ?? 0) - r.intended_us)).toEqual([0, 298_000]);
});

test('a killed k6: the torn line is ignored, what was in flight is unanswered, what was never reached is unsent', async () => {
  const s = stream('web', 'events', [
    ['baseline', 1000, 5],
    ['inject', 1000, 5],
  ]);
  const whole =
    request('web__0', 1, 4, `0 202 o @${ORIGIN_MS + 1}`) +
    request('web__0', 401, 405, '2 202 o') +
    request('web__0', 602, 605, '3 202 o');
  for (const cut of [1, 2, 20, 80, 150]) {
    const rawFile = join(dir, 'k6.json');
    const outFile = join(dir, 'requests.parquet');
    await writeFile(rawFile, HEADER + whole);
    await truncate(rawFile, HEADER.length + whole.length - cut);
    const result = await importRequests({
      ...{ rawFile, outFile, runId: 'r', streams: [s], originEpochUs: ORIGIN_MS * 1000 },
    });
    const rows = await readRequests(outFile);
    // Cutting only the last newline leaves the record whole.
    const known = cut === 1 ? 4 : 3;
    expect(result).toMatchObject({ rows: 10, unsent: 10 - known, unanswered: 1 });
    expect(rows.map((r) => r.outcome)).toEqual([
      ...['ok', 'failed', 'ok', 'ok'].slice(0, known),
      ...Array(10 - known).fill('unsent'),
    ]);
    expect(rows[1]).toMatchObject({ sent_us: 1000, done_us: null, status: 0, event_id: 'r.web.0.1' });
    expect(rows.map((r) => r.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(rows.map((r) => r.intended_us)).toEqual(
      [0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800].map((ms) => 1000 + ms * 1000),
    );
  }
});

test('drops after the last slot are nobody’s; silent segments have no rows; streams stand in order of their names', async () => {
  const b = stream('b', 'events', [
    ['baseline', 1000, 0],
    ['inject', 1000, 2],
  ]);
  const a = stream('a', 'events', [['baseline', 1000, 1]]);
  const { rows, result } = await run(
    [b, a],
    request('b__1', 1000, 1001, `0 202 o @${ORIGIN_MS + 1000}`) +
      dropped('b__1', 1500) +
      dropped('b__1', 2000) +
      dropped('b__1', 2500),
  );
  expect(result).toMatchObject({ rows: 3, unsent: 2 });
  expect(rows.map((r) => [r.stream, r.n, r.phase, r.outcome])).toEqual([
    ['a', 0, 'baseline', 'unsent'],
    ['b', 0, 'inject', 'ok'],
    ['b', 1, 'inject', 'unsent'],
  ]);
});

test('an iteration that sent nothing is no request', async () => {
  const { rows } = await run(
    [stream('web', 'events', [['baseline', 1000, 1]])],
    point('iteration_duration', 3, 1, 'web__0') +
      point('iteration_duration', 900, 1, 'web__0', '') +
      request('web__0', 10, 11, `0 202 o @${ORIGIN_MS + 10}`),
  );
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ n: 0, outcome: 'ok', sent_us: 10_000 });
});

test('a run in which nothing at all was sent is all unsent', async () => {
  const { result } = await run([stream('web', 'events', [['baseline', 1000, 7]])], '');
  expect(result).toEqual({ rows: 7, unsent: 7, unanswered: 0, offsetUs: 0 });
});

test('refuses records that cannot be: none, or more than was intended', async () => {
  const s = stream('web', 'events', [['baseline', 1000, 1]]);
  await expect(
    run([s], request('web__0', 0, 1, '0 202 o') + request('web__0', 2, 3, '1 202 o')),
  ).rejects.toThrow(HarnessError);
  await expect(
    importRequests({
      rawFile: join(dir, 'none'),
      runId: 'r',
      streams: [s],
      originEpochUs: 0,
      outFile: join(dir, 'o'),
    }),
  ).rejects.toThrow(EvidenceError);
});
