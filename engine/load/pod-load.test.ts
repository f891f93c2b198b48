/** Real k6, each as in a pod: a directory of this host stands for one, with bash in it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePorts } from '../../base/ports.ts';
import type { Stream } from '../../evidence/plan.ts';
import type { LoadPod } from '../../targets/target.ts';
import { resolveTool } from '../../tools/resolve.ts';
import { importRequests } from './import.ts';
import { startLoadInPods } from './pod-load.ts';
import type { LoadHandle } from './start.ts';
import { readRequests, stream } from './test-tools.ts';

const SCRIPT = fileURLToPath(new URL('../../scenarios/k6/main.ts', import.meta.url));

let dir: string;
let server: Server;
let ids: string[];
let answerAfterMs = 0;
let running: Set<ChildProcessWithoutNullStreams>;
let load: LoadHandle | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-pods-'));
  ids = [];
  running = new Set();
  answerAfterMs = 0;
  server = createServer((request, response) => {
    request.resume();
    ids.push(String(request.headers['ce-id']));
    setTimeout(() => response.writeHead(202).end(), answerAfterMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await load?.stop();
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

const MEMORY_MIB = 1000;

/** Each on a port of its own, which pods need not have: `apiPort` is the first one's. */
async function pods(
  count: number,
  change: (script: string) => string = (s) => s,
): Promise<[LoadPod[], number]> {
  const ports = await freePorts(count);
  const made = await Promise.all(
    ports.map(async (port, i) => {
      const directory = join(dir, `pod-${i}`);
      await mkdir(directory);
      return {
        name: `pod-${i}`,
        directory,
        memoryMiB: MEMORY_MIB,
        bash(script: string) {
          const own = script.replaceAll(`127.0.0.1/${ports[0]}`, `127.0.0.1/${port}`);
          const text = change(own.replaceAll(`127.0.0.1:${ports[0]}`, `127.0.0.1:${port}`));
          const child = spawn('bash', ['-c', text], { cwd: directory });
          running.add(child);
          child.once('close', () => running.delete(child));
          return child;
        },
      };
    }),
  );
  return [made, ports[0] as number];
}

async function start(streams: Stream[], [shards, apiPort]: [LoadPod[], number]): Promise<LoadHandle> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  load = await startLoadInPods({
    ...{ k6Path: (await resolveTool('k6')).path, scriptPath: SCRIPT, run: { id: 'run-1', seed: 1 }, streams },
    ...{
      endpoints: { RECEIVER_URL: url, GATEWAY_URL: url },
      workDir: join(dir, 'k6'),
      apiPort,
      pods: shards,
    },
  });
  return load;
}

async function imported({ rawFiles }: LoadHandle, streams: Stream[], originEpochUs: number) {
  const outFile = join(dir, 'requests.parquet');
  const result = await importRequests({ rawFiles, runId: 'run-1', streams, originEpochUs, outFile });
  return { result, rows: await readRequests(outFile) };
}

test('three of them send each intended request once, at its time, and leave one whole schedule', async () => {
  const streams = [
    stream('web', 'events', [
      ['baseline', 2000, 20],
      ['inject', 1500, 7],
    ]),
    // Fewer than there are shards.
    stream('rare', 'builds', [['baseline', 1000, 2]]),
  ];
  const load = await start(streams, await pods(3));
  const origin = await load.begin();
  expect(await load.done).toEqual({ exitCode: 0, detail: '' });
  expect(await load.live()).toMatchObject({ sent: 53, failed: 0, dropped: 0 });
  const { rows, result } = await imported(load, streams, origin);
  expect(result).toMatchObject({ rows: 53, unsent: 0, unanswered: 0 });
  expect(new Set(ids).size).toBe(53);
  expect(rows.map((r) => r.event_id).toSorted()).toEqual(ids.toSorted());
  const web = rows.filter((r) => r.stream === 'web');
  expect(web.map((r) => r.n)).toEqual([...web.keys()]);
  // Each k6 has its own share of the slots, in turn.
  expect(web.slice(0, 6).map((r) => r.event_id)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `run-1.web.0.${n}`));
  expect(load.cpuSeconds()).toBeGreaterThan(0);
});

test('what no k6 had a VU for is unsent, and nobody takes it for unanswered', async () => {
  answerAfterMs = 700;
  const streams = [stream('web', 'events', [['baseline', 2000, 20]], { maxVUs: 2 })];
  const load = await start(streams, await pods(2));
  const origin = await load.begin();
  expect((await load.done).exitCode).toBe(0);
  const { rows, result } = await imported(load, streams, origin);
  expect(result).toMatchObject({ rows: 40, unanswered: 0, unsent: 40 - ids.length });
  expect(rows.filter((r) => r.outcome === 'ok')).toHaveLength(ids.length);
  expect(ids.length).toBeLessThan(20);
});

test('a connection that breaks loses no record', async () => {
  const streams = [stream('web', 'events', [['baseline', 4000, 25]])];
  const load = await start(streams, await pods(2));
  const origin = await load.begin();
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    for (const child of running) child.kill('SIGKILL');
  }
  expect(await load.done).toEqual({ exitCode: 0, detail: '' });
  expect((await imported(load, streams, origin)).result).toMatchObject({
    rows: 100,
    unsent: 0,
    unanswered: 0,
  });
});

test('a connection that hangs is given up, and loses no record', async () => {
  const streams = [stream('web', 'events', [['baseline', 3000, 10]])];
  const load = await start(streams, await pods(1));
  const origin = await load.begin();
  await expect.poll(() => ids.length, { timeout: 10_000 }).toBeGreaterThan(5);
  for (const child of running) child.kill('SIGSTOP');
  expect(await load.done).toEqual({ exitCode: 0, detail: '' });
  expect((await imported(load, streams, origin)).result).toMatchObject({
    rows: 30,
    unsent: 0,
    unanswered: 0,
  });
});

test('is stopped in the middle, in every pod', async () => {
  const streams = [stream('web', 'events', [['baseline', 60_000, 20]])];
  const load = await start(streams, await pods(2));
  const origin = await load.begin();
  await expect.poll(() => ids.length, { timeout: 10_000 }).toBeGreaterThan(10);
  await load.stop();
  expect((await load.done).exitCode).toBe(105);
  const { rows } = await imported(load, streams, origin);
  expect(rows).toHaveLength(1200);
  // The last of each k6 was cut off, on its way there or back: nobody knows of it, or nobody has seen it.
  const sent = rows.flatMap((r) => (r.outcome === 'unsent' ? [] : [String(r.event_id)]));
  const differ = [...sent.filter((id) => !ids.includes(id)), ...ids.filter((id) => !sent.includes(id))];
  expect(differ.length).toBeLessThanOrEqual(2);
});

test('ends with the first k6 that does not end well: the others are stopped', async () => {
  const streams = [stream('web', 'events', [['baseline', 60_000, 10]])];
  const load = await start(streams, await pods(2));
  const origin = await load.begin();
  await expect.poll(() => ids.length, { timeout: 10_000 }).toBeGreaterThan(5);
  process.kill(Number(await readFile(join(dir, 'pod-1', 'pid'), 'utf8')), 'SIGKILL');
  const { exitCode, detail } = await load.done;
  expect(exitCode).toBe(137);
  expect(detail).toContain('in pod pod-1');
  const { rows } = await imported(load, streams, origin);
  expect(rows).toHaveLength(600);
  expect(rows.filter((r) => r.outcome === 'ok').length).toBeGreaterThan(4);
});

test('k6 collects its garbage before its pod has no memory left', async () => {
  await start([stream('web', 'events', [['baseline', 1000, 5]])], await pods(1));
  const pid = await readFile(join(dir, 'pod-0', 'pid'), 'utf8');
  const environment = await readFile(`/proc/${pid.trim()}/environ`, 'utf8');
  const limitMiB = Number(/GOMEMLIMIT=(\d+)MiB/.exec(environment)?.[1]);
  expect(limitMiB).toBeGreaterThan(0.5 * MEMORY_MIB);
  expect(limitMiB).toBeLessThan(0.9 * MEMORY_MIB);
});

test.each([
  ['whose k6 does not start', (s: string) => s.replace('./k6', './k7'), /k7.*No such file/s],
  [
    'whose clock is off',
    (s: string) => s.replace('date +%s%N', 'echo 1700000000000000000'),
    /clock of pod pod-0 differs/,
  ],
])('a pod %s ends it before the load begins', async (_, change, message) => {
  const streams = [stream('web', 'events', [['baseline', 1000, 5]])];
  await expect(start(streams, await pods(1, change))).rejects.toThrow(message);
  expect(ids).toEqual([]);
});
