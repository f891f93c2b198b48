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

/** Instants in ms from the origin, written in µs since the epoch. */
const us = (ms: number): number => ORIGIN_MS * 1000 + Math.round(ms * 1000);
/** A line as tools/k6/records writes it; `record`: `<n> <status> <outcome> [cold] [!<error>]`, then, on a scenario's first, `@<ms>`: when k6 began it. */
function request(scenario: string, from: number, to: number, record: string): string {
  const [n, status, outcome, ...more] = record.split(' ');
  const begun = more.find((word) => word.startsWith('@'));
  const error = more.find((word) => word.startsWith('!'))?.slice(1);
  const cold = more.includes('cold');
  return `${[scenario, us(from), us(to), n, status, error, outcome, cold, begun ? us(Number(begun.slice(1))) : '', '.'].join('\t')}\n`;
}
const dropped = (scenario: string, at: number): string => `${scenario}\t${us(at)}\t\t\t\t\tunsent\t\t\t.\n`;

/** @param raw the records of each k6 */
async function run(streams: Stream[], ...raw: string[]) {
  const outFile = join(dir, 'requests.parquet');
  const rawFiles = raw.map((_, i) => join(dir, `k6-${i}.records`));
  for (const [i, file] of rawFiles.entries()) await writeFile(file, raw[i] as string);
  const options = { rawFiles, runId: 'run-1', streams, originEpochUs: ORIGIN_MS * 1000, outFile };
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
    request('web__0', 3.2, 10, '0 200 ok cold @3.2') +
      dropped('web__0', 503.3) +
      request('web__0', 753.4, 760, '2 500 failed') +
      request('web__0', 253.7, 900, '1 0 timeout !1050') +
      request('web__1', 1003.6, 1010, '0 202 ok @1003.2') +
      // The script failed before it could send: k6 has no code for that.
      request('web__1', 1504, 1510, '1 0 failed'),
  );
  expect(result).toEqual({ rows: 6, unsent: 1, unanswered: 0, offsetUs: 3200 });
  expect(rows).toEqual(
    [
      ['baseline', 0, 3200, 3200, 10_000, 200, 'ok', true, 'run-1.web.0.0', null],
      ['baseline', 1, 253_200, 253_700, 900_000, 0, 'timeout', false, 'run-1.web.0.1', 1050],
      ['baseline', 2, 503_200, null, null, null, 'unsent', false, null, null],
      ['baseline', 3, 753_200, 753_400, 760_000, 500, 'failed', false, 'run-1.web.0.2', null],
      ['inject', 4, 1_003_200, 1_003_600, 1_010_000, 202, 'ok', false, 'run-1.web.1.0', null],
      ['inject', 5, 1_503_200, 1_504_000, 1_510_000, 0, 'failed', false, 'run-1.web.1.1', null],
    ].map(([phase, n, intended_us, sent_us, done_us, status, outcome, cold, event_id, error_code]) => ({
      ...{
        stream: 'web',
        phase,
        n,
        intended_us,
        sent_us,
        done_us,
        status,
        outcome,
        cold,
        event_id,
        error_code,
      },
    })),
  );
});

test('each of several k6 has slots of its own: lateness, drops and what is missing stay with it', async () => {
  // 10/s for 0.7 s: the first k6 has the slots 0, 2, 4 and 6, the second, which began 150 ms late, 1, 3 and 5.
  const s = stream('web', 'events', [['baseline', 700, 10]]);
  const { result, rows } = await run(
    [s],
    // Slot 2 was dropped; a request that is started later has the next number, not the slot's.
    request('web__0', 0, 5, '0 202 ok @0') +
      dropped('web__0', 200) +
      request('web__0', 400, 405, '2 202 ok') +
      request('web__0', 600, 605, '4 202 ok') +
      // After its last slot.
      dropped('web__0', 800),
    // Number 1 was in flight when it was killed; slot 5 was never reached.
    request('web__0', 450, 455, '3 202 ok @250'),
  );
  expect(result).toEqual({ rows: 7, unsent: 2, unanswered: 1, offsetUs: 0 });
  expect(
    rows.map((r) => [r.n, r.intended_us / 1000, r.sent_us === null ? null : r.sent_us / 1000, r.outcome]),
  ).toEqual([
    [0, 0, 0, 'ok'],
    [1, 100, 450, 'failed'],
    [2, 200, null, 'unsent'],
    [3, 300, 450, 'ok'],
    [4, 400, 400, 'ok'],
    [5, 500, null, 'unsent'],
    [6, 600, 600, 'ok'],
  ]);
  expect(rows.map((r) => r.event_id?.split('.').at(-1))).toEqual([
    '0',
    '1',
    undefined,
    '3',
    '2',
    undefined,
    '4',
  ]);
});

test('a generator that is late from its first request on does not hide it', async () => {
  // The scenario began at 5 ms, and its promptest request left 400 ms later.
  const { rows, result } = await run(
    [stream('web', 'events', [['baseline', 1000, 2]])],
    request('web__0', 405, 410, '0 202 ok @5') + request('web__0', 905, 910, '1 202 ok'),
  );
  expect(result.offsetUs).toBe(5000);
  expect(rows.map((r) => (r.sent_us ?? 0) - r.intended_us)).toEqual([400_000, 400_000]);
});

test('a scenario that k6 started late counts as late requests, not as a later schedule', async () => {
  const { rows } = await run(
    [
      stream('web', 'events', [
        ['a', 1000, 1],
        ['b', 1000, 1],
      ]),
    ],
    request('web__0', 2, 5, '0 202 ok @2') + request('web__1', 1300, 1310, '0 202 ok @1300'),
  );
  expect(rows.map((r) => (r.sent_us ?? 0) - r.intended_us)).toEqual([0, 298_000]);
});

test('a killed k6: the torn line is ignored, what was in flight is unanswered, what was never reached is unsent', async () => {
  const s = stream('web', 'events', [
    ['baseline', 1000, 5],
    ['inject', 1000, 5],
  ]);
  const whole =
    request('web__0', 1, 4, '0 202 ok @1') +
    request('web__0', 401, 405, '2 202 ok') +
    request('web__0', 602, 605, '3 202 ok');
  for (const cut of [1, 2, 3, 8, 20, 35]) {
    const rawFile = join(dir, 'k6.records');
    const outFile = join(dir, 'requests.parquet');
    await writeFile(rawFile, whole);
    await truncate(rawFile, whole.length - cut);
    const result = await importRequests({
      ...{ rawFiles: [rawFile], outFile, runId: 'r', streams: [s], originEpochUs: ORIGIN_MS * 1000 },
    });
    const rows = await readRequests(outFile);
    // Cutting only the last newline leaves the record whole.
    const known = cut === 1 ? 4 : 3;
    expect(result).toMatchObject({ rows: 10, unsent: 10 - known, unanswered: 1 });
    expect(rows.map((r) => r.outcome)).toEqual([
      ...['ok', 'failed', 'ok', 'ok'].slice(0, known),
      ...Array(10 - known).fill('unsent'),
    ]);
    expect(rows[1]).toMatchObject({ sent_us: 1000, done_us: null, status: 0, error_code: null });
    expect(rows[1]?.event_id).toBe('r.web.0.1');
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
    request('b__1', 1000, 1001, '0 202 ok @1000') +
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

test('a line that a full disk tore is ignored with the one glued to it; those after them are read', async () => {
  const first = request('web__0', 1, 4, '0 202 ok @1');
  const torn = request('web__0', 201, 205, '1 202 ok');
  const last = request('web__0', 401, 405, '2 202 ok');
  for (let cut = 1; cut < torn.length; cut++) {
    const { rows } = await run(
      [stream('web', 'events', [['baseline', 1000, 5]])],
      first + torn.slice(0, cut) + last + request('web__0', 601, 605, '3 202 ok'),
    );
    expect(rows.map((r) => r.outcome)).toEqual(['ok', 'failed', 'failed', 'ok', 'unsent']);
  }
});

test('a run in which nothing at all was sent is all unsent', async () => {
  const { result } = await run([stream('web', 'events', [['baseline', 1000, 7]])], '');
  expect(result).toEqual({ rows: 7, unsent: 7, unanswered: 0, offsetUs: 0 });
});

test('refuses records that cannot be: none, or more than was intended', async () => {
  const s = stream('web', 'events', [['baseline', 1000, 1]]);
  await expect(
    run([s], request('web__0', 0, 1, '0 202 ok') + request('web__0', 2, 3, '1 202 ok')),
  ).rejects.toThrow(HarnessError);
  await expect(
    importRequests({
      rawFiles: [join(dir, 'none')],
      runId: 'r',
      streams: [s],
      originEpochUs: 0,
      outFile: join(dir, 'o'),
    }),
  ).rejects.toThrow(EvidenceError);
});
