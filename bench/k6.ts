/**
 * Do our load scripts with full records reach 0.9 of the request rate of a bare script? (issue 3 §8)
 *
 *     node bench/k6.ts [rounds] [seconds a turn]
 *
 * All turns send the same request (a CloudEvent in binary mode; fixed ids in the bare script) as fast as 32 VUs can, to a
 * server in a process of its own that looks at nothing but lengths:
 * - `bare`: the bare script under k6 with its defaults, as anyone would run it. The bound is against this. (The k6 is ours in
 *   all turns; it differs from stock k6 in a module and an output, which are not used here.)
 * - `full`: scenarios/k6/main.ts, called as in a real run: its options, its environment, its records.
 * - `unrecorded`: the bare script with the options and the environment of `full`. Not bound; it shows what ids and
 *   records cost by themselves, which `full` wins back by k6's options and a lazier garbage collector.
 * Turns alternate and each round's ratios come from neighbouring turns, in a new order each round, so that a busy machine
 * hits all alike. On two cores the limit is CPU time: four fifths of it k6's, the rest the server's. CPU time a request
 * depends less on what else the machine does than the rate.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../base/errors.ts';
import { freePorts } from '../base/ports.ts';
import { processCpuSeconds } from '../base/process-cpu.ts';
import { k6Arguments, k6Environment } from '../engine/load/k6-command.ts';
import { BASE_OPTIONS, scenarioName } from '../engine/load/k6-files.ts';
import type { LoadConfig } from '../scenarios/k6/config.ts';
import { resolveTool } from '../tools/resolve.ts';

const VUS = 32;
const BOUND = 0.9;
const SCENARIO = scenarioName('events', 0);
const SCRIPT = fileURLToPath(new URL('../scenarios/k6/main.ts', import.meta.url));

const BARE = `
import http from 'k6/http';
const url = __ENV.RECEIVER_URL + '/events';
export function events() {
  http.post(url, '{"k":123456,"workMs":0}', {
    headers: {
      'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-source': 'faultline', 'ce-id': 'bench.events.0.123456',
      'ce-type': 'io.knative.lambda.invoke.async', 'ce-subject': 'fn-0',
      traceparent: '00-0123456789abcdef000100000001e240-000100000001e240-01',
    },
    timeout: 10000,
  });
}
export default events;
`;

/** Answers 202 to every request, looking at nothing but where it ends. Tells its parent the number when it is asked. */
function serve(): void {
  const answer = Buffer.from('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n');
  const headEnd = Buffer.from('\r\n\r\n');
  let answered = 0;
  const server = createServer((socket) => {
    let rest: Buffer | undefined;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      rest = rest ? Buffer.concat([rest, data]) : data;
      while (rest) {
        const end: number = rest.indexOf(headEnd);
        if (end < 0) return;
        const length = /content-length: (\d+)/i.exec(rest.toString('latin1', 0, end))?.[1];
        const whole: number = end + headEnd.length + Number(length ?? 0);
        if (rest.length < whole) return;
        socket.write(answer);
        answered += 1;
        rest = rest.length > whole ? rest.subarray(whole) : undefined;
      }
    });
  });
  process.on('message', () => {
    process.send?.(answered);
    answered = 0;
  });
  process.on('disconnect', () => process.exit());
  server.listen(Number(process.argv[3]), '127.0.0.1', () => process.send?.('ready'));
}

const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once('message', resolve));

type Kind = 'bare' | 'full' | 'unrecorded';
const KINDS = ['bare', 'full', 'unrecorded'] as const;
/** full stands beside bare in each. */
const ORDERS = [
  ['bare', 'full', 'unrecorded'],
  ['unrecorded', 'full', 'bare'],
  ['full', 'bare', 'unrecorded'],
  ['unrecorded', 'bare', 'full'],
] as const;

interface Turn {
  /** Requests a second. */
  rate: number;
  /** k6's CPU time a request, µs. */
  cpuUs: number;
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 12);
  const seconds = Number(process.argv[3] ?? 3);
  const { path: k6Path, version } = await resolveTool('k6');
  const dir = await mkdtemp(join(tmpdir(), 'faultline-bench-k6-'));
  const [port, apiPort] = await freePorts(2);
  const server = fork(fileURLToPath(import.meta.url), ['serve', String(port)]);
  try {
    await message(server);
    const load: LoadConfig = {
      runId: 'bench',
      seed: 1,
      segments: {
        [SCENARIO]: {
          ...{
            stream: 'events',
            streamIndex: 0,
            segment: 0,
            count: 2 ** 31,
            offset: 0,
            lengthMs: seconds * 1000,
          },
          ...{ timeoutMs: 10_000, params: { prefix: 'fn', functions: 1 } },
        },
      },
    };
    const closedLoop = {
      executor: 'constant-vus',
      exec: 'events',
      env: { FAULTLINE_SEGMENT: SCENARIO },
      vus: VUS,
      duration: `${seconds}s`,
    };
    await writeFile(join(dir, 'load.json'), JSON.stringify(load));
    await writeFile(
      join(dir, 'options.json'),
      JSON.stringify({ ...BASE_OPTIONS, scenarios: { [SCENARIO]: closedLoop } }),
    );
    const bareScript = join(dir, 'bare.ts');
    const url = `http://127.0.0.1:${port}`;
    await writeFile(bareScript, BARE);

    const stock = ['run', '--quiet', '--no-usage-report', '--address', `127.0.0.1:${apiPort}`];
    const ours = (script: string, rawFile?: string): string[] =>
      k6Arguments({
        ...{ script, options: join(dir, 'options.json'), log: join(dir, 'k6.log'), apiPort },
        env: { RECEIVER_URL: url, FAULTLINE_LOAD: join(dir, 'load.json') },
        ...(rawFile ? { rawFile } : {}),
      });
    const environment = k6Environment(dir);
    const { GOGC: _, GOMEMLIMIT: __, ...stockEnvironment } = environment;
    const calls: Record<Kind, { args: string[]; env: Record<string, string> }> = {
      bare: {
        args: [
          ...stock,
          '--vus',
          `${VUS}`,
          '--duration',
          `${seconds}s`,
          '-e',
          `RECEIVER_URL=${url}`,
          bareScript,
        ],
        env: stockEnvironment,
      },
      full: { args: ours(SCRIPT, join(dir, 'k6.records')), env: environment },
      unrecorded: { args: ours(bareScript), env: environment },
    };
    const turn = async (kind: Kind): Promise<Turn> => {
      const { args, env } = calls[kind];
      const k6 = spawn(k6Path, args, { cwd: dir, env, stdio: ['ignore', 'ignore', 'inherit'] });
      let cpu = 0;
      const sampler = setInterval(() => {
        cpu = processCpuSeconds(k6.pid) || cpu;
      }, 50);
      const code = await new Promise((resolve) => k6.once('exit', resolve));
      clearInterval(sampler);
      if (code !== 0) throw new HarnessError(`k6 ended with code ${code}`);
      const answered = message(server);
      server.send('count');
      const count = (await answered) as number;
      if (count === 0) throw new HarnessError('k6 sent nothing');
      return { rate: count / seconds, cpuUs: (cpu / count) * 1e6 };
    };

    const results: Record<Kind, Turn>[] = [];
    for (let i = 0; i < rounds; i++) {
      const result = {} as Record<Kind, Turn>;
      for (const kind of ORDERS[i % ORDERS.length] as readonly Kind[]) result[kind] = await turn(kind);
      results.push(result);
      const shown = KINDS.map(
        (k) => `${k} ${result[k].rate.toFixed(0)}/s (${result[k].cpuUs.toFixed(0)} us CPU)`,
      );
      console.log(
        `round ${i + 1}: ${shown.join(', ')}; full/bare ${(result.full.rate / result.bare.rate).toFixed(3)}; load average ${loadavg()[0]?.toFixed(1)}`,
      );
    }
    const ratio = (to: Kind): number => median(results.map((r) => r.full.rate / r[to].rate));
    const cpu = (to: Kind): number => median(results.map((r) => r[to].cpuUs / r.full.cpuUs));
    console.log(
      `k6 ${version}, ${availableParallelism()} cores, ${VUS} VUs, median of ${rounds} rounds: full records reach ` +
        `${ratio('bare').toFixed(3)} of the bare script's rate (bound ${BOUND}; by CPU time a request ${cpu('bare').toFixed(3)}), ` +
        `${ratio('unrecorded').toFixed(3)} of the unrecorded one's (by CPU time ${cpu('unrecorded').toFixed(3)})`,
    );
    if (!(ratio('bare') >= BOUND)) process.exitCode = 1;
  } finally {
    server.disconnect();
    await rm(dir, { recursive: true });
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

if (process.argv[2] === 'serve') serve();
else await main();
