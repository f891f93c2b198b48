/** Real k6 against a small server in this process. Rates are low, so that a busy machine does not decide. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { HarnessError } from '../../base/errors.ts';
import { traceId } from '../../base/event-id.ts';
import { freePorts } from '../../base/ports.ts';
import type { Stream } from '../../evidence/plan.ts';
import { resolveTool } from '../../tools/resolve.ts';
import { importRequests } from './import.ts';
import { type LoadHandle, type LoadOptions, startLoad } from './start.ts';
import { readRequests, stream } from './test-tools.ts';

interface Seen {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}
type Answer = (seen: Seen, response: ServerResponse) => void;

const SCRIPT = fileURLToPath(new URL('../../scenarios/k6/main.ts', import.meta.url));
const accept: Answer = (_, response) => {
  response.statusCode = 202;
  response.end();
};

let k6Path: string;
let dir: string;
let server: Server;
let seen: Seen[] = [];
let answer: Answer = accept;
const started: LoadHandle[] = [];

beforeAll(async () => {
  k6Path = (await resolveTool('k6')).path;
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const one = { path: request.url ?? '', headers: request.headers, body };
    seen.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-load-'));
  seen = [];
  answer = accept;
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((load) => load.stop()));
  await rm(dir, { recursive: true });
});

async function start(streams: Stream[], o: Partial<LoadOptions> = {}): Promise<LoadHandle> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const load = await startLoad({
    k6Path,
    scriptPath: SCRIPT,
    run: { id: 'run-1', seed: 1 },
    streams,
    endpoints: { RECEIVER_URL: url, GATEWAY_URL: url },
    workDir: join(dir, 'k6'),
    apiPort: (await freePorts(1))[0],
    ...o,
  });
  started.push(load);
  return load;
}

async function imported(load: LoadHandle, streams: Stream[], originEpochUs: number) {
  const outFile = join(dir, 'requests.parquet');
  const result = await importRequests({
    rawFiles: load.rawFiles,
    runId: 'run-1',
    streams,
    originEpochUs,
    outFile,
  });
  return { result, rows: await readRequests(outFile) };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('every intended request is sent once, at its time, with its own ids', async () => {
  answer = (one, response) => {
    const fails = one.path.startsWith('/fn/') && JSON.parse(one.body).fail === true;
    response.statusCode = fails ? 500 : one.path.startsWith('/fn/') ? 200 : 202;
    if (one.path === '/fn/fn-1') response.setHeader('x-lambda-cold-start', 'true');
    response.end('body');
  };
  const streams = [
    stream(
      'builds',
      'builds',
      [
        ['baseline', 1500, 3],
        ['inject', 1000, 0],
        ['recover', 1000, 0.7],
      ],
      {
        params: { prefix: 'b' },
      },
    ),
    stream(
      'calls',
      'invocations',
      [
        ['baseline', 1500, 40],
        ['inject', 400, 50],
        ['recover', 1600, 25],
      ],
      {
        params: { prefix: 'fn', functions: 3, failShare: 0.25, workMs: 2 },
      },
    ),
    stream('async', 'events', [['baseline', 3500, 10]], { params: { prefix: 'fn', functions: 3 } }),
  ];
  const load = await start(streams);
  const origin = await load.begin();
  await sleep(2000);
  const live = await load.live();
  expect(live.sent).toBeGreaterThan(60);
  expect(live.failed).toBe(0);
  expect(live.streams.calls?.sent).toBeGreaterThan(live.streams.async?.sent ?? 0);
  expect(await load.done).toEqual({ exitCode: 0, detail: '' });

  const { result, rows } = await imported(load, streams, origin);
  const total = streams.flatMap((s) => s.segments).reduce((sum, s) => sum + s.count, 0);
  expect(total).toBe(5 + 0 + 1 + 60 + 20 + 40 + 35);
  expect(result).toMatchObject({ rows: total, unsent: 0, unanswered: 0 });
  expect(result.offsetUs).toBeGreaterThanOrEqual(0);
  expect(result.offsetUs).toBeLessThan(500_000);

  // Intended starts: exactly the plan's, shifted by one constant.
  for (const s of streams) {
    const mine = rows.filter((r) => r.stream === s.name);
    const intended = s.segments.flatMap((g) =>
      Array.from({ length: g.count }, (_, i) => [g.phase, Math.round(g.startMs * 1000 + (i * 1e6) / g.rate)]),
    );
    expect(mine.map((r) => [r.phase, r.intended_us - result.offsetUs])).toEqual(intended);
    expect(mine.map((r) => r.n)).toEqual(mine.map((_, n) => n));
  }
  // Sent at those times: half of them within 5 ms even when the machine is busy, none noticeably early.
  const lateness = rows.map((r) => (r.sent_us ?? 0) - r.intended_us).sort((a, b) => a - b);
  expect(lateness[0]).toBeGreaterThan(-1000);
  expect(lateness[Math.floor(lateness.length / 2)]).toBeLessThan(5000);

  // What the server saw is what the records say.
  expect(seen).toHaveLength(total);
  expect(new Set(seen.map((s) => s.headers['ce-id']))).toEqual(new Set(rows.map((r) => r.event_id)));
  expect(new Set(rows.map((r) => r.event_id)).size).toBe(total);
  const traces = new Map(seen.map((s) => [s.headers['ce-id'], s.headers.traceparent as string]));
  expect(new Set(traces.values()).size).toBe(total);
  for (const [id, traceparent] of traces) {
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const [, name, segment, n] = (id as string).split('.');
    const index = streams.findIndex((s) => s.name === name);
    expect(traceparent.slice(3, 35)).toBe(traceId('run-1', index, Number(segment), Number(n)));
  }
  const first = (path: string): Seen => seen.find((s) => s.path === path) as Seen;
  const build = seen.find((s) => s.headers['ce-type'] === 'io.knative.lambda.command.build.start') as Seen;
  expect(build.headers).toMatchObject({
    'ce-specversion': '1.0',
    'ce-source': 'faultline',
    'ce-subject': 'b-0',
    'content-type': 'application/json',
  });
  expect(JSON.parse(build.body)).toMatchObject({
    ...{
      name: 'b-0',
      runtime: { language: 'nodejs', version: '20', handler: 'handler' },
      source: { type: 'inline' },
    },
  });
  expect(first('/fn/fn-2').headers['ce-subject']).toBe('fn-2');
  expect(
    seen.filter((s) => s.headers['ce-type'] === 'io.knative.lambda.invoke.async' && s.path === '/events'),
  ).toHaveLength(35);

  // A quarter of the calls asked for a 500 and got it: that is ok. One in three was cold.
  const calls = rows.filter((r) => r.stream === 'calls');
  expect(rows.every((r) => r.outcome === 'ok')).toBe(true);
  expect(calls.filter((r) => r.status === 500)).toHaveLength(30);
  expect(calls.filter((r) => r.cold)).toHaveLength(40);
});

test.each([
  ['with VUs enough, requests wait: their latency from the intended start is the stall', 100],
  ['with few VUs, what could not be sent is unsent: the stall stays visible', 4],
])('a server that stalls for 1 s: %s', async (_, maxVUs) => {
  let stalledUntil = 0;
  answer = (one, response) =>
    void setTimeout(() => accept(one, response), Math.max(0, stalledUntil - performance.now()));
  const streams = [stream('web', 'events', [['baseline', 3000, 50]], { maxVUs })];
  const load = await start(streams);
  const origin = await load.begin();
  await sleep(1000);
  stalledUntil = performance.now() + 1000;
  expect((await load.done).exitCode).toBe(0);
  const { result, rows } = await imported(load, streams, origin);
  expect(result.rows).toBe(150);
  const latency = rows.map((r) => ((r.done_us ?? 0) - r.intended_us) / 1000).sort((a, b) => a - b);
  if (maxVUs === 100) {
    expect(result.unsent).toBe(0);
    // 50 requests fell into the stall and waited from 0 to 1000 ms: about 25 of them half of it or longer.
    const long = latency.filter((ms) => ms > 500).length;
    expect(long).toBeGreaterThanOrEqual(18);
    expect(long).toBeLessThanOrEqual(40);
    expect(latency.at(-1)).toBeGreaterThan(800);
  } else {
    expect(result.unsent).toBeGreaterThanOrEqual(35);
    expect(result.unsent).toBeLessThanOrEqual(60);
    const gone = rows.filter((r) => r.outcome === 'unsent');
    // They stand where they were meant to be: within the stall, in one row of slots.
    expect(gone.every((r) => r.sent_us === null && r.event_id === null && r.status === null)).toBe(true);
    expect((gone.at(-1)?.n ?? 0) - (gone[0]?.n ?? 0)).toBeLessThanOrEqual(gone.length + 10);
    expect(gone[0]?.intended_us).toBeGreaterThan(900_000);
    expect(gone.at(-1)?.intended_us).toBeLessThan(2_500_000);
  }
});

test('a request that takes longer than its timeout is a timeout; one that is refused is failed with status 0; k6 says why', async () => {
  answer = () => {};
  const slow = stream('slow', 'events', [['baseline', 1000, 3]], { timeoutMs: 300 });
  const refused = stream('refused', 'invocations', [['baseline', 1000, 3]], { params: { prefix: 'fn' } });
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const load = await start([slow, refused], {
    endpoints: { RECEIVER_URL: url, GATEWAY_URL: `http://127.0.0.1:${port}` },
  });
  const origin = await load.begin();
  expect((await load.done).exitCode).toBe(0);
  expect(await load.live()).toMatchObject({ sent: 6, failed: 6, dropped: 0 });
  const { rows } = await imported(load, [slow, refused], origin);
  expect(rows.map((r) => [r.stream, r.status, r.outcome, r.error_code])).toEqual([
    ...Array(3).fill(['refused', 0, 'failed', 1212]),
    ...Array(3).fill(['slow', 0, 'timeout', 1050]),
  ]);
  for (const r of rows.filter((r) => r.stream === 'slow'))
    expect((r.done_us ?? 0) - (r.sent_us ?? 0)).toBeGreaterThanOrEqual(299_000);
});

test('a timeout is told apart by whether there was a connection', async () => {
  answer = () => {};
  // Its kernel takes as many connections as fit in the queue, and drops the first packet of all others: nobody is there.
  await writeFile(
    join(dir, 'deaf.cjs'),
    `const server = require('node:net').createServer();
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () =>
       process.send(server.address().port, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)));`,
  );
  const deaf = fork(join(dir, 'deaf.cjs'));
  const [port] = (await once(deaf, 'message')) as [number];
  const waiting = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  await sleep(200);
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connected = stream('connected', 'events', [['baseline', 1000, 3]], { timeoutMs: 300 });
    const nobody = stream('nobody', 'invocations', [['baseline', 1000, 3]], {
      timeoutMs: 300,
      params: { prefix: 'fn' },
    });
    const load = await start([connected, nobody], {
      endpoints: { RECEIVER_URL: url, GATEWAY_URL: `http://127.0.0.1:${port}` },
    });
    const origin = await load.begin();
    expect((await load.done).exitCode).toBe(0);
    const { rows } = await imported(load, [connected, nobody], origin);
    expect(rows.map((r) => [r.stream, r.outcome, r.error_code])).toEqual([
      ...Array(3).fill(['connected', 'timeout', 1050]),
      ...Array(3).fill(['nobody', 'timeout', 1211]),
    ]);
  } finally {
    for (const socket of waiting) socket.destroy();
    deaf.kill('SIGKILL');
  }
});

test('a connection that is closed without an answer, one that is reset, and an answer that is an error are told apart', async () => {
  answer = ({ path }, response) => {
    if (path === '/fn/fn-0') response.socket?.end();
    else if (path === '/fn/fn-1') response.socket?.resetAndDestroy();
    else response.writeHead(503).end();
  };
  const calls = stream('calls', 'invocations', [['baseline', 1000, 6]], {
    params: { prefix: 'fn', functions: 3 },
  });
  const load = await start([calls]);
  const origin = await load.begin();
  expect((await load.done).exitCode).toBe(0);
  const { rows } = await imported(load, [calls], origin);
  const each = [
    [0, 1000],
    [0, 1220],
    [503, null],
  ];
  expect(rows.map((r) => [r.status, r.error_code])).toEqual([...each, ...each]);
});

test.each([
  ['SIGKILL', (load: LoadHandle): unknown => process.kill(load.pid as number, 'SIGKILL')],
  ['stop()', (load: LoadHandle): unknown => load.stop()],
] as const)('%s in the middle: every intended request still has its row', async (how, end) => {
  const streams = [
    stream('web', 'events', [
      ['baseline', 1500, 100],
      ['inject', 8500, 100],
    ]),
  ];
  const load = await start(streams);
  const origin = await load.begin();
  await sleep(2000);
  await end(load);
  const { exitCode, detail } = await load.done;
  if (how === 'SIGKILL') {
    expect(exitCode).toBeNull();
    expect(detail).toContain('SIGKILL');
  } else expect(exitCode).toBe(105);
  const { rows, result } = await imported(load, streams, origin);
  expect(result.rows).toBe(1000);
  // 2 s at 100/s, of which a killed k6 had not yet written the last 0.2 s.
  const sent = rows.filter((r) => r.outcome === 'ok').length;
  expect(sent).toBeGreaterThan(140);
  expect(sent).toBeLessThan(250);
  expect(sent + result.unsent + result.unanswered).toBe(1000);
  expect(rows.slice(sent + result.unanswered).every((r) => r.outcome === 'unsent')).toBe(true);
});

test('a k6 that cannot run is reported with what it said, before the load begins', async () => {
  await expect(start([stream('web', 'nothing', [['baseline', 1000, 1]])])).rejects.toThrow(
    /nothing.*not found in exports/,
  );
  await expect(
    start([stream('web', 'events', [['baseline', 1000, 1]])], { k6Path: join(dir, 'no-k6') }),
  ).rejects.toThrow(HarnessError);
  const { port } = server.address() as AddressInfo;
  await expect(start([stream('web', 'events', [['baseline', 1000, 1]])], { apiPort: port })).rejects.toThrow(
    `could not listen on http://127.0.0.1:${port}`,
  );
});

test('records that could not all be written are told, though k6 itself ends well', async () => {
  // No file that this k6 writes may grow over 512 bytes: as on a full disk, but for this process only.
  const limited = join(dir, 'k6-limited');
  await writeFile(limited, `#!/bin/sh\nulimit -f 1\nexec '${k6Path}' "$@"\n`, { mode: 0o755 });
  const load = await start([stream('web', 'events', [['baseline', 2000, 20]])], { k6Path: limited });
  await load.begin();
  expect(await load.done).toMatchObject({
    exitCode: 74,
    detail: expect.stringMatching(/could not write all its records/),
  });
  expect(seen).toHaveLength(40);
});
