/** Against a server that speaks Loki's HTTP API as documented; none of Loki's own releases can be had where this project is made. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectLoki } from './loki.ts';
import { HttpStore } from './sources.ts';

const ORIGIN_MS = 1_790_000_000_000;
type Line = { ns: bigint; app: string; line: string };

let directory: string;
let server: Server;
let url: string;
let asked: URLSearchParams[];
let stored: Line[];
let answer: { status: number; body: string } | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-loki-'));
  asked = [];
  answer = undefined;
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://loki');
    if (pathname !== '/loki/api/v1/query_range') return response.writeHead(404).end('404 page not found');
    asked.push(searchParams);
    if (answer) return response.writeHead(answer.status).end(answer.body);
    const [start, end, limit] = ['start', 'end', 'limit'].map((name) => BigInt(searchParams.get(name) ?? ''));
    const found = stored
      .filter(({ ns }) => ns >= (start as bigint) && ns < (end as bigint))
      .slice(0, Number(limit));
    const result = [...Map.groupBy(found, ({ app }) => app)].map(([app, lines]) => ({
      stream: { app },
      values: lines.map(({ ns, line }) => [`${ns}`, line]),
    }));
    return response.end(
      JSON.stringify({ status: 'success', data: { resultType: 'streams', result, stats: {} } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

const outFile = () => join(directory, 'loki.ndjson');
const collect = (pageSize?: number) =>
  collectLoki({
    ...{ store: new HttpStore(url), query: '{namespace="knative-lambda"}', outFile: outFile() },
    ...{ fromMs: ORIGIN_MS, toMs: ORIGIN_MS + 10_000, originMs: ORIGIN_MS },
    ...(pageSize === undefined ? {} : { pageSize }),
  });
const written = () =>
  readFileSync(outFile(), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { t: number; labels: object; line: string });
const at = (ms: number, app: string, line: string): Line => ({
  ns: BigInt(ORIGIN_MS + ms) * 1_000_000n,
  app,
  line,
});

describe('logs from Loki', () => {
  it('come in the order of time, whichever stream they are of, with their labels', async () => {
    stored = [at(10, 'builder', 'a'), at(20, 'receiver', 'b'), at(30, 'builder', 'c')];
    expect(await collect()).toEqual({ lines: 3, whole: true });
    expect(written()).toEqual([
      { t: 10, labels: { app: 'builder' }, line: 'a' },
      { t: 20, labels: { app: 'receiver' }, line: 'b' },
      { t: 30, labels: { app: 'builder' }, line: 'c' },
    ]);
    expect(Object.fromEntries(asked[0] ?? [])).toMatchObject({
      query: '{namespace="knative-lambda"}',
      start: `${ORIGIN_MS}000000`,
      direction: 'forward',
    });
  });

  it('are paged through, each line once, also where a page ends within an instant', async () => {
    stored = Array.from({ length: 25 }, (_, i) => at(Math.floor(i / 3), 'builder', `line ${i}`));
    expect(await collect(4)).toEqual({ lines: 25, whole: true });
    expect(written().map(({ line }) => line)).toEqual(stored.map(({ line }) => line));
  });

  it('are not called whole when more lines have one instant than a page holds', async () => {
    stored = Array.from({ length: 9 }, (_, i) => at(5, 'builder', `line ${i}`));
    expect(await collect(4)).toEqual({ lines: 4, whole: false });
  });

  it('are none where there are none', async () => {
    stored = [];
    expect(await collect()).toEqual({ lines: 0, whole: true });
    expect(written()).toEqual([]);
  });

  it('are not made up of what is no answer, and Loki’s own words are told', async () => {
    answer = { status: 400, body: 'parse error at line 1, col 2: syntax error: unexpected IDENTIFIER\n' };
    await expect(collect()).rejects.toThrow('Loki answered 400: parse error at line 1, col 2');
    const matrix = { status: 'success', data: { resultType: 'matrix', result: [] } };
    answer = { status: 200, body: JSON.stringify(matrix) };
    await expect(collect()).rejects.toThrow('expected a LogQL query of lines, not of numbers');
  });
});
