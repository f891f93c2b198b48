/**
 * How fast, and in how much memory, a bundle is judged: `node bench/judge.ts [--requests 1000000] [--runs 3]`.
 *
 * Makes a synthetic bundle (95 % invocations, 5 % builds with a ledger; the plan of evidence/testing.ts), then judges it in a
 * process of its own, from start to exit. Compared with the bounds of issue 3 §8, and with the obvious alternative: the same
 * records as gzipped NDJSON, the same quantiles and error rate by the same engine. Exit 1 when a bound is broken.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { copySql, Database, quote } from '../evidence/duckdb.ts';
import { FILES } from '../evidence/tables.ts';
import { passingRun, RUN_ID, type SyntheticRun, stream, TIMES, writeBundle } from '../evidence/testing.ts';
import { judge, serializeVerdict } from '../slo/judge/index.ts';

const LENGTH_S = 60;
const BUILD_SHARE = 0.05;

interface Bounds {
  seconds: number;
  megabytes: number;
  bytesPerRequest: number;
}

/** Issue 3 §8; between the two sizes the bounds of the larger one hold. */
const boundsFor = (requests: number): Bounds =>
  requests <= 1_000_000
    ? { seconds: 1.5, megabytes: 250, bytesPerRequest: 24 }
    : { seconds: 15, megabytes: 1000, bytesPerRequest: 24 };

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    judge: { type: 'string' },
  },
});
if (values.judge !== undefined) await judgeAndMeasure(values.judge);
else process.exitCode = (await bench(Number(values.requests), Number(values.runs))) ? 0 : 1;

/** The process that is measured: what `faultline judge` does, and its own peak at the end. */
async function judgeAndMeasure(dir: string): Promise<void> {
  const verdict = await judge(dir);
  const bytes = serializeVerdict(verdict).length;
  console.log(
    JSON.stringify({
      verdict: verdict.verdict,
      reasons: verdict.reasons,
      bytes,
      peak: peakBytes(),
      cpu: process.cpuUsage(),
    }),
  );
}

/** Peak resident memory of this process. VmHWM, because getrusage on Linux starts from the parent's size. */
function peakBytes(): number {
  try {
    const kb = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kb !== undefined) return Number(kb) * 1024;
  } catch {
    // No /proc on this system.
  }
  return process.resourceUsage().maxRSS * 1024;
}

async function bench(requests: number, runs: number): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'faultline-bench-'));
  try {
    const bundle = join(dir, 'bundle');
    await makeBundle(bundle, requests);
    const disk = readdirSync(bundle).reduce((sum, f) => sum + statSync(join(bundle, f)).size, 0) / requests;
    const found = Array.from({ length: runs }, () => runJudge(bundle)).sort((a, b) => a.seconds - b.seconds);
    const median = found[Math.floor(found.length / 2)] as Measured;
    const peak = Math.max(...found.map((f) => f.megabytes));
    const bounds = boundsFor(requests);
    console.log(
      `${requests} requests, verdict ${median.verdict}; median of ${runs} runs (fastest ${found[0]?.seconds.toFixed(2)} s, slowest ${found.at(-1)?.seconds.toFixed(2)} s; ${median.cpuSeconds.toFixed(2)} s of processor time; load average ${loadavg()[0]?.toFixed(1)})`,
    );
    const held = [
      report('judge, whole process', median.seconds, bounds.seconds, 's'),
      report('peak resident memory', peak, bounds.megabytes, 'MB'),
      report('bundle on disk', disk, bounds.bytesPerRequest, 'B/request'),
    ].every(Boolean);
    await compareWithNdjson(bundle, dir);
    if (median.verdict !== 'pass') console.log(`the bundle should pass: ${median.reasons.join('; ')}`);
    return held && median.verdict === 'pass';
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function report(what: string, value: number, bound: number, unit: string): boolean {
  console.log(
    `  ${what.padEnd(22)} ${value.toFixed(2).padStart(9)} ${unit} (bound ${bound}) ${value <= bound ? 'holds' : 'BROKEN'}`,
  );
  return value <= bound;
}

interface Measured {
  seconds: number;
  /** User and system time; unlike the wall's it says the same on a busy machine. */
  cpuSeconds: number;
  megabytes: number;
  verdict: string;
  reasons: string[];
}

function runJudge(bundle: string): Measured {
  const start = performance.now();
  const child = spawnSync(process.execPath, [import.meta.filename, '--judge', bundle], { encoding: 'utf8' });
  const seconds = (performance.now() - start) / 1000;
  if (child.status !== 0) throw new Error(`the judge ended with ${child.status}: ${child.stderr}`);
  const result = JSON.parse(child.stdout) as {
    peak: number;
    cpu: { user: number; system: number };
    verdict: string;
    reasons: string[];
  };
  return {
    seconds,
    cpuSeconds: (result.cpu.user + result.cpu.system) / 1e6,
    megabytes: result.peak / 1e6,
    verdict: result.verdict,
    reasons: result.reasons,
  };
}

/** The passing run of evidence/testing.ts at another rate; rows are generated in SQL, the small files are those of the test. */
async function makeBundle(dir: string, requests: number): Promise<void> {
  mkdirSync(dir);
  const run: SyntheticRun = passingRun();
  const rate = requests / LENGTH_S;
  run.plan.streams = [
    stream('builds', 'builds', rate * BUILD_SHARE, true, { prefix: 'build' }),
    stream('invocations', 'invocations', rate * (1 - BUILD_SHARE), false, { prefix: 'fn', functions: 2 }),
  ];
  const builds = run.plan.streams[0]?.segments.reduce((sum, s) => sum + s.count, 0) ?? 0;
  // The counter tells what clients saw, so that the bundle passes: 0 at the origin, all builds at the end.
  for (const s of run.series)
    if (s.kind === 'raw')
      s.value = s.t_us >= LENGTH_S * 1e6 ? builds : Math.floor((builds * s.t_us) / (LENGTH_S * 1e6));
  run.requests = [];
  run.ledger = [];
  await writeBundle(dir, run, { manifest: false });
  using db = await Database.open({ memoryMb: 4000 });
  const slots = run.plan.streams.flatMap((s) => {
    let offset = 0;
    return s.segments.map((g, k) => {
      const sql = `SELECT '${s.name}' AS stream, '${g.phase}' AS phase, (${offset} + i)::INTEGER AS n, round(${g.startMs * 1000} + i * 1e6 / ${g.rate})::BIGINT AS intended_us,
        '${RUN_ID}.${s.name}.${k}.' || i AS event_id FROM range(${g.count}) AS t(i)`;
      offset += g.count;
      return sql;
    });
  });
  // Latencies as they are: a log-normal body, a long tail, one failure in a thousand, some of them without any answer.
  const normal = (salt: string) =>
    `sqrt(-2 * ln((hash(event_id, '${salt}') % 10000000 + 1) / 1e7)) * cos(2 * pi() * (hash('${salt}', event_id) % 10000000) / 1e7)`;
  await db.run(
    copySql(
      `WITH slots AS (${slots.join(' UNION ALL ')}),
    sent AS (SELECT *, intended_us + 50 + (80 * exp(${normal('late')}))::BIGINT AS sent_us, hash(event_id, 'bad') % 1000 = 0 AS bad FROM slots)
    SELECT stream, phase, n, intended_us, sent_us, sent_us + (9000 * exp(0.9 * ${normal('latency')}))::BIGINT AS done_us,
      (CASE WHEN bad AND stream <> 'builds' THEN 503 WHEN stream = 'builds' THEN 202 ELSE 200 END)::SMALLINT AS status,
      CASE WHEN bad AND stream <> 'builds' THEN 'failed' ELSE 'ok' END AS outcome, hash(event_id, 'cold') % 5000 = 0 AS cold, event_id, NULL::SMALLINT AS error_code FROM sent`,
      join(dir, FILES.requests),
    ),
  );
  const down = `(sent_us > ${TIMES.inject * 1000 - 400000} AND sent_us < ${TIMES.builderBack * 1000})`;
  await db.run(
    copySql(
      `SELECT event_id, stream, phase, sent_us, done_us AS answered_us, status, true AS accepted, 1 AS processed,
      CASE WHEN ${down} THEN ${TIMES.builderBack * 1000} + hash(event_id) % 400000 ELSE sent_us + 200000 + hash(event_id) % 200000 END::BIGINT AS first_processed_us,
      'completed' AS result, 'localhost/' || stream || '-' || n || '@sha256:' || sha256(stream) AS artifact, true AS artifact_found
    FROM read_parquet(${quote(join(dir, FILES.requests))}) WHERE stream = 'builds' ORDER BY event_id`,
      join(dir, FILES.ledger),
    ),
  );
}

async function compareWithNdjson(bundle: string, dir: string): Promise<void> {
  const parquet = join(bundle, FILES.requests);
  const ndjson = join(dir, 'requests.ndjson.gz');
  using db = await Database.open({ memoryMb: 4000 });
  await db.run(
    `COPY (SELECT * FROM read_parquet(${quote(parquet)})) TO ${quote(ndjson)} (FORMAT json, COMPRESSION gzip)`,
  );
  const query = (source: string) =>
    `SELECT stream, phase, quantile_disc(done_us - intended_us, [0.5, 0.95, 0.99]), count(*) FILTER (outcome = 'ok') / count(*) FROM ${source} GROUP BY ALL`;
  const time = async (source: string) => {
    const start = performance.now();
    await db.rows(query(source));
    return (performance.now() - start) / 1000;
  };
  const ours = await time(`read_parquet(${quote(parquet)})`);
  const theirs = await time(`read_json(${quote(ndjson)}, format = 'newline_delimited')`);
  const [small, large] = [statSync(parquet).size, statSync(ndjson).size];
  console.log(
    `  against gzipped NDJSON: quantiles and error rate ${ours.toFixed(3)} s and ${theirs.toFixed(3)} s (${(theirs / ours).toFixed(1)} times), ${(small / 1e6).toFixed(1)} MB and ${(large / 1e6).toFixed(1)} MB (${(large / small).toFixed(1)} times)`,
  );
}
