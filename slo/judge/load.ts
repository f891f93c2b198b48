/** Can the load be trusted? A generator that could not keep its rate makes the run unknown, never good or bad. */

import { checkId } from '../../evidence/check-ids.ts';
import { quote } from '../../evidence/duckdb.ts';
import type { Stream } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Check } from '../../evidence/verdict.ts';
import type { Context, Finding, Judgement } from './context.ts';
import { nearestRank, percent, text } from './numbers.ts';
import { type ScanRow, scan, scanSql } from './scan.ts';
import { standalone } from './views.ts';

/** intended_us is rounded to whole microseconds. */
const ROUNDING_US = 1;

export async function checkLoad(c: Context): Promise<Finding> {
  if (c.plan.streams.length === 0) return { checks: [] };
  const checks: Check[] = [];
  for (const stream of c.plan.streams) {
    checks.push(
      await c.check(
        {
          id: checkId.load(stream.name),
          group: 'load',
          title: `${stream.name}: the planned load was really sent`,
        },
        () => judgeStream(c, stream),
      ),
    );
  }
  checks.push(
    await c.check(
      { id: checkId.generator, group: 'load', title: 'The load generator had the processor that it needed' },
      () => judgeGenerator(c),
    ),
  );
  const strangers = await c.check(
    { id: checkId.unplanned, group: 'load', title: 'Nothing but the planned load was sent' },
    async () => {
      const known = new Set(c.plan.streams.map((s) => s.name));
      const names = [...new Set((await scan(c)).map((r) => r.stream))].filter(
        (s) => s === null || !known.has(s),
      );
      const evidence = [
        { file: FILES.requests, query: standalone('SELECT DISTINCT stream FROM requests', 'requests') },
      ];
      if (names.length > 0)
        return {
          verdict: 'unknown',
          message: `${FILES.requests} has streams that the plan does not know: ${names.join(', ')}`,
          evidence,
        };
      return { verdict: 'pass', message: 'every request belongs to a planned stream', evidence };
    },
  );
  checks.push(strangers);
  return { checks };
}

async function judgeStream(c: Context, stream: Stream): Promise<Judgement> {
  const rows = (await scan(c)).filter((r) => r.stream === stream.name);
  const { late, early, mostMs, sql: lateSql } = await latenessOf(c, stream);
  const total = rows.reduce((sum, r) => sum + r.n, 0);
  const unsent = rows.reduce((sum, r) => sum + r.unsent, 0);
  const { maxUnsentShare, maxLatenessMs } = c.plan.load;
  const evidence = [
    {
      file: FILES.requests,
      query: standalone(scanSql(c.plan), 'requests'),
      samples: total,
    },
    { file: FILES.requests, query: standalone(lateSql, 'requests'), samples: total - unsent },
    { file: FILES.journal, query: `load.ended where stream = ${stream.name}` },
  ];
  const problems = [...scheduleProblems(c, stream, rows), ...(await endProblems(c, stream))];
  if (total > 0 && unsent / total > maxUnsentShare)
    problems.push(
      `${unsent} of ${total} requests (${percent(unsent / total)}) were not sent: more than ${percent(maxUnsentShare)}`,
    );
  if (late === null || early === null) problems.push('no request was sent');
  else {
    if (late > mostMs) problems.push(`p99 of the lateness is ${text(late)} ms: more than ${text(mostMs)} ms`);
    if (early < -maxLatenessMs)
      problems.push(`a request was sent ${text(-early)} ms before its time: the clocks do not agree`);
  }
  if (problems.length > 0)
    return { verdict: 'unknown', message: `the load is not to be trusted: ${problems.join('; ')}`, evidence };
  return {
    verdict: 'pass',
    message: `${total - unsent} of ${total} intended requests sent, p99 of the lateness ${text(late)} ms`,
    evidence,
  };
}

/**
 * Of the interval between two requests. Latency counts from the intended start, so lateness hides in no percentile; what it can
 * spoil is the arrival process, which of a stream with one request in ten seconds a tenth of a second does not.
 */
const LATE_SHARE = 0.05;

interface Lateness {
  /** p99 of sent - intended, ms; null: nothing was sent. */
  late: number | null;
  /** The least of it: below 0 when one was sent before its time. */
  early: number | null;
  /** `late` may be so much, ms. */
  mostMs: number;
  sql: string;
}

/** p99 of it, ms. */
const LATE = 'quantile_disc(sent_us - intended_us, 0.99) / 1e3';

async function latenessOf(c: Context, stream: Stream): Promise<Lateness> {
  const sql = `SELECT ${LATE} AS late, min(sent_us - intended_us) / 1e3 AS early FROM requests WHERE stream = ${quote(stream.name)}`;
  const mostMs = Math.max(c.plan.load.maxLatenessMs, LATE_SHARE * shortestIntervalMs(stream));
  return { ...(await c.db.row<{ late: number | null; early: number | null }>(sql)), mostMs, sql };
}

/**
 * A stall of a second is a hundredth of a stream, and much of one phase: whoever asks about a phase must look there too.
 * @param where SQL over requests @param phase of the plan, in which it must not be late either; `run`: in any. Absent: nobody asks
 * @returns each stream with such rows whose generator was later than it may be, and how late
 */
export async function lateStreams(c: Context, where: string, phase?: string): Promise<string[]> {
  const found: string[] = [];
  for (const stream of await streamsOf(c, where)) {
    const { late, mostMs } = await latenessOf(c, stream);
    const inAll = { name: stream.name, late };
    const inPhases = phase === undefined ? [] : await latenessByPhase(c, stream, phase);
    const worst = [inAll, ...inPhases].find((x) => x.late !== null && x.late > mostMs);
    if (worst) found.push(`${worst.name}: p99 ${text(worst.late)} ms, ${text(mostMs)} ms may be`);
  }
  return found;
}

async function latenessByPhase(
  c: Context,
  { name: stream }: Stream,
  phase: string,
): Promise<{ name: string; late: number | null }[]> {
  const rows = await c.db.rows<{ phase: string; late: number | null }>(
    `SELECT phase, ${LATE} AS late FROM requests WHERE stream = ${quote(stream)}${phase === 'run' ? '' : ` AND phase = ${quote(phase)}`} GROUP BY phase ORDER BY min(intended_us)`,
  );
  return rows.map((row) => ({ name: `${stream} in ${row.phase}`, late: row.late }));
}

/** @param where SQL over requests @returns why the generator of such rows can not be trusted: it did not end well, or was late; empty: it can */
export async function generatorProblems(c: Context, where: string): Promise<string[]> {
  const ends: string[] = [];
  for (const stream of await streamsOf(c, where)) ends.push(...(await endProblems(c, stream)));
  return [...ends, ...(await lateStreams(c, where))];
}

async function streamsOf(c: Context, where: string): Promise<Stream[]> {
  await c.need('requests');
  const rows = await c.db.rows<{ stream: string }>(`SELECT DISTINCT stream FROM requests WHERE (${where})`);
  return c.plan.streams.filter(({ name }) => rows.some((r) => r.stream === name));
}

function shortestIntervalMs({ segments }: Stream): number {
  return 1000 / Math.max(...segments.map(({ rate }) => rate));
}

/** The rows must be the plan's slots: each exactly once, each in its phase. */
function scheduleProblems(c: Context, stream: Stream, rows: ScanRow[]): string[] {
  const problems: string[] = [];
  const contradictions = rows.reduce((sum, r) => sum + r.contradictions, 0);
  if (contradictions > 0) problems.push(`${contradictions} rows contradict themselves`);
  const planned = new Map<string, number>();
  for (const s of stream.segments) planned.set(s.phase, (planned.get(s.phase) ?? 0) + s.count);
  for (const phase of new Set([...planned.keys(), ...rows.map((r) => r.phase ?? '')])) {
    const row = rows.find((r) => r.phase === phase);
    const [want, have] = [planned.get(phase) ?? 0, row?.n ?? 0];
    if (want !== have) problems.push(`${phase} has ${have} rows: ${want} requests were planned`);
    const window = c.plan.phases.find((p) => p.name === phase);
    // k6 begins its schedule some ms after the origin, and at a high rate the last slot is less than that before the phase's end.
    const endMs = (window?.endMs ?? 0) + c.plan.load.maxLatenessMs;
    if (
      row &&
      window &&
      (row.from_us < window.startMs * 1000 - ROUNDING_US || row.to_us > endMs * 1000 + ROUNDING_US)
    )
      problems.push(`rows of ${phase} were intended outside of it`);
  }
  // Equal counts, bounds, sums and sums of squares: a slot that is there twice in the place of a missing one shows.
  const n = BigInt(rows.reduce((sum, r) => sum + r.n, 0));
  const sum = rows.reduce((s, r) => s + BigInt(r.sum_n ?? 0), 0n);
  const squares = rows.reduce((s, r) => s + BigInt(r.sum_nn ?? 0), 0n);
  if (
    n > 0n &&
    (sum !== (n * (n - 1n)) / 2n ||
      squares !== ((n - 1n) * n * (2n * n - 1n)) / 6n ||
      rows.some((r) => r.min_n < 0 || r.max_n >= Number(n)))
  ) {
    problems.push('the positions n are not each there once, from 0');
  }
  return problems;
}

async function endProblems(c: Context, stream: Stream): Promise<string[]> {
  const ends = (await c.entries('load.ended')).filter((e) => e.stream === stream.name);
  if (ends.length === 0) return ['the journal does not say that its generator ended'];
  return ends.flatMap((e) =>
    e.exitCode === 0
      ? []
      : [
          `its generator ended with ${e.exitCode === null ? 'a signal' : `exit code ${e.exitCode}`}${e.detail ? `: ${e.detail}` : ''}`,
        ],
  );
}

/**
 * Why the clients' records may not be all of what was sent; empty when they are. What the platform seems to have done too much of
 * is then no evidence against it.
 */
export async function recordProblems(c: Context): Promise<string[]> {
  const rows = await scan(c);
  const problems: string[] = [];
  for (const stream of c.plan.streams) {
    const own = rows.filter((r) => r.stream === stream.name);
    problems.push(...scheduleProblems(c, stream, own), ...(await endProblems(c, stream)));
  }
  return problems;
}

/** Why the load may not have been the planned one; empty when it was. What it should have caused may then have lacked its cause. */
export async function loadProblems(c: Context): Promise<string[]> {
  const { checks } = await checkLoad(c);
  return checks.filter((x) => x.verdict !== 'pass').map((x) => `${x.id}: ${x.message}`);
}

async function judgeGenerator(c: Context): Promise<Judgement> {
  const cpu = (await c.entries('generator.sample')).map((e) => e.cpu).sort((a, b) => a - b);
  const evidence = [
    { file: FILES.journal, query: 'p95 (nearest rank) of cpu in generator.sample', samples: cpu.length },
  ];
  const p95 = nearestRank(cpu, 0.95);
  const bound = c.plan.load.maxCpuShare;
  if (p95 === null)
    return {
      verdict: 'unknown',
      message: 'nobody measured the processor time of the load generator',
      evidence,
    };
  if (p95 > bound)
    return {
      verdict: 'unknown',
      message: `the load generator used ${text(p95)} cores (p95): more than ${text(bound)}, so its times are not to be trusted`,
      evidence,
    };
  return {
    verdict: 'pass',
    message: `the load generator used ${text(p95)} cores (p95), at most ${text(bound)}, in ${cpu.length} samples${c.plan.load.pods === undefined ? '' : `; in ${c.plan.load.pods} pods of the cluster`}`,
    evidence,
  };
}
