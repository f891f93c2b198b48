import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventId, traceId } from '../../base/event-id.ts';
import { Database } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import type { RequestRow } from '../../evidence/tables.ts';
import { RequestTrace } from '../../evidence/traces.ts';
import { RunClock } from '../clock.ts';
import { HttpStore } from './sources.ts';
import { collectTraces, wantedTraces } from './traces.ts';

const RUN = 'short-20261127-1.2';
const plan = { run: { id: RUN }, streams: [{ name: 'builds' }, { name: 'events' }] } as Plan;
let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-traces-'));
  file = join(directory, 'requests.parquet');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Sent = [segment: number, n: number, ms: number | null, outcome: RequestRow['outcome']];

async function requests(stream: string, phase: string, sent: Sent[]): Promise<void> {
  using database = await Database.open();
  await database.createTable('requests');
  const rows = sent.map(([segment, n, ms, outcome], i) => ({
    ...{ stream, phase, n: i, intended_us: i * 1000, sent_us: outcome === 'unsent' ? null : i * 1000 },
    done_us: ms === null ? null : i * 1000 + ms * 1000,
    ...{ status: outcome === 'ok' ? 202 : 0, outcome, cold: false },
    event_id: outcome === 'unsent' ? null : eventId(RUN, stream, segment, n),
  }));
  await database.append('requests', rows);
  await database.writeParquet('requests', file);
}

describe('the requests whose traces are kept', () => {
  it('are the three slowest and the three slowest that failed, by the ids that they were sent with', async () => {
    const ok = [5, 40, 30, 20, 10].map((ms, n): Sent => [1, n, ms, 'ok']);
    const bad = [1, 9000, 2, 3].map((ms, n): Sent => [1, 5 + n, ms, n === 1 ? 'timeout' : 'failed']);
    await requests('events', 'inject', [...ok, ...bad, [1, 9, null, 'ok'], [1, 10, null, 'unsent']]);
    const wanted = await wantedTraces(plan, file);
    expect(wanted.map(({ why, clientMs }) => [why, clientMs])).toEqual([
      ['failed', 9000],
      ['failed', 3],
      ['failed', 2],
      ['slowest', 40],
      ['slowest', 30],
      ['slowest', 20],
    ]);
    expect(wanted[0]).toMatchObject({
      ...{ stream: 'events', phase: 'inject', eventId: eventId(RUN, 'events', 1, 6) },
      traceId: traceId(RUN, 1, 1, 6),
    });
  });

  it('are none where nothing was sent', async () => {
    await requests('events', 'inject', [[0, 0, null, 'unsent']]);
    expect(await wantedTraces(plan, file)).toEqual([]);
  });
});

describe('a store of traces', () => {
  let server: Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  async function store(answer: (path: string) => { status: number; body: string }): Promise<string> {
    server = createServer((request, response) => {
      const { status, body } = answer(request.url ?? '');
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const clock = new RunClock();
  clock.setOrigin(1_790_000_000_000);
  const collect = (url: string, patienceMs = 3000) =>
    collectTraces(plan, {
      ...{ store: new HttpStore(url), requestsFile: file, outFile: join(directory, 'traces.ndjson'), clock },
      patienceMs,
    });
  const span = {
    ...{ spanID: 'aa', operationName: 'accept', references: [], processID: 'p1' },
    ...{ startTime: 1_790_000_000_250_000, duration: 1500, tags: [] },
  };
  const jaeger = { data: [{ spans: [span], processes: { p1: { serviceName: 'receiver' } } }] };

  it('is asked again for what it does not have yet', async () => {
    await requests('builds', 'baseline', [[0, 0, 12, 'ok']]);
    let times = 0;
    const url = await store(() =>
      times++ === 0 ? { status: 404, body: '{}' } : { status: 200, body: JSON.stringify(jaeger) },
    );
    expect((await collect(`${url}/`)).count).toEqual({ asked: 1, found: 1 });
    const [line] = readFileSync(join(directory, 'traces.ndjson'), 'utf8').trim().split('\n');
    expect(RequestTrace.parse(JSON.parse(line ?? ''))).toMatchObject({
      spans: [
        { service: 'receiver', name: 'accept', startMs: 250, durationMs: 1.5, parent: null, error: false },
      ],
    });
  });

  it('that is none leaves no file, and its own words', async () => {
    await requests('builds', 'baseline', [[0, 0, 12, 'ok']]);
    const url = await store(() => ({ status: 200, body: '<html>Grafana</html>' }));
    await expect(collect(url)).rejects.toThrow('neither Jaeger nor Tempo answers so: <html>Grafana</html>');
    await expect(collect(url.replace(/:\d+$/, ':1'), 500)).rejects.toThrow(/no answer/);
    expect(existsSync(join(directory, 'traces.ndjson'))).toBe(false);
  });

  it('that gives no answer for one of them keeps the others, and says so', async () => {
    await requests('builds', 'baseline', [
      [0, 0, 12, 'ok'],
      [0, 1, 11, 'ok'],
      [0, 2, 10, 'ok'],
    ]);
    const broken = traceId(RUN, 0, 0, 0);
    const url = await store((path) =>
      path.includes(broken)
        ? { status: 503, body: 'overloaded' }
        : { status: 200, body: JSON.stringify(jaeger) },
    );
    expect(await collect(url, 500)).toEqual({
      count: { asked: 3, found: 2 },
      missing: expect.stringMatching(/^1 of 3 could not be asked for: .* answered 503: overloaded$/),
    });
    expect(readFileSync(join(directory, 'traces.ndjson'), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  it('that is busy at first is asked again', async () => {
    await requests('builds', 'baseline', [[0, 0, 12, 'ok']]);
    let times = 0;
    const url = await store(() =>
      times++ === 0 ? { status: 503, body: '' } : { status: 200, body: JSON.stringify(jaeger) },
    );
    expect(await collect(url)).toEqual({ count: { asked: 1, found: 1 }, missing: undefined });
  });
});
