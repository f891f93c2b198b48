/**
 * One scan of requests.parquet, per stream and phase, for all that the load check and the core metrics need of it. Sums are of
 * integers (microseconds) and quantiles nearest rank: exact, and independent of the order of rows and the number of threads.
 */
import { quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import type { Context } from './context.ts';

export interface ScanRow {
  stream: string | null;
  phase: string | null;
  n: number;
  unsent: number;
  ok: number;
  /** Sent, and no answer recorded. */
  unanswered: number;
  /** Rows that say two things which can not both be true, or lack what every row has. */
  contradictions: number;
  min_n: number;
  max_n: number;
  /** Sums of n and of its square, as text: they go beyond exact numbers. */
  sum_n: string;
  sum_nn: string;
  from_us: number;
  to_us: number;
  /** Sums; from the intended start, and from the real one. A request without an answer is in flight until its timeout. */
  latency_us: number | null;
  service_us: number | null;
  /** p50, p95, p99, max of the latency of what was sent; {@link NO_ANSWER_US} for a request without an answer. */
  quantiles_us: number[] | null;
  /** Microseconds in flight of those requests that were sent and answered within their own phase. */
  inside_us: number;
  /** For each phase of the plan: microseconds that the other requests were in flight within it. */
  crossing_us: number[];
}

/** Sorts after every answer. */
export const NO_ANSWER_US = Number.MAX_SAFE_INTEGER;

const CONTRADICTION = `unsent <> (sent_us IS NULL) OR (sent_us IS NULL AND coalesce(done_us, status) IS NOT NULL) OR done_us < sent_us
  OR (sent_us IS NOT NULL AND status IS NULL) OR (ok AND done_us IS NULL) OR n IS NULL OR intended_us IS NULL OR cold IS NULL
  OR ok IS NULL OR (NOT ok AND NOT unsent AND outcome <> 'failed' AND outcome <> 'timeout')`;

const scans = new WeakMap<Context, Promise<ScanRow[]>>();

/** @throws EvidenceError when requests.parquet is missing or damaged */
export function scan(c: Context): Promise<ScanRow[]> {
  let rows = scans.get(c);
  if (!rows) {
    rows = c.need('requests').then(() => c.db.rows<ScanRow>(scanSql(c.plan)));
    scans.set(c, rows);
  }
  return rows;
}

export function scanSql(plan: Plan): string {
  const timeouts = plan.streams
    .map((s) => `WHEN ${quote(s.name)} THEN ${Math.round(s.timeoutMs * 1000)}`)
    .join(' ');
  const end = timeouts === '' ? 'done_us' : `coalesce(done_us, sent_us + CASE stream ${timeouts} END)`;
  const windows = plan.phases.map((p) => ({
    from: Math.round(p.startMs * 1000),
    to: Math.round(p.endMs * 1000),
  }));
  // Nearly all requests lie within one phase, and then their time is simply summed; only for the others is the overlap of
  // [sent, end] with each phase computed. Same sum, half the time.
  const within = windows.map(
    ({ from, to }) =>
      `WHEN intended_us >= ${from} AND intended_us < ${to} THEN sent_us >= ${from} AND end_us <= ${to}`,
  );
  const inside = within.length === 0 ? 'false' : `CASE ${within.join(' ')} ELSE false END`;
  const overlaps = windows.map(
    ({ from, to }) =>
      `coalesce(sum(CASE WHEN NOT inside THEN greatest(0, least(end_us, ${to}) - greatest(sent_us, ${from})) END), 0)::BIGINT`,
  );
  return `SELECT stream, phase, count(*) AS n, count(*) FILTER (unsent) AS unsent, count(*) FILTER (ok) AS ok,
    count(*) FILTER (sent_us IS NOT NULL AND (done_us IS NULL OR status = 0)) AS unanswered, count(*) FILTER (${CONTRADICTION}) AS contradictions,
    min(n) AS min_n, max(n) AS max_n, sum(n)::VARCHAR AS sum_n, sum(n::BIGINT * n)::VARCHAR AS sum_nn,
    min(intended_us) AS from_us, max(intended_us) AS to_us,
    sum(done_us - intended_us) AS latency_us, sum(end_us - sent_us) AS service_us,
    quantile_disc(CASE WHEN sent_us IS NULL THEN NULL WHEN status = 0 THEN ${NO_ANSWER_US} ELSE coalesce(done_us - intended_us, ${NO_ANSWER_US}) END, [0.5, 0.95, 0.99, 1.0]) AS quantiles_us,
    [${overlaps.join(', ')}]::BIGINT[] AS crossing_us, coalesce(sum(CASE WHEN inside THEN end_us - sent_us END), 0)::BIGINT AS inside_us
  FROM (SELECT *, ${inside} AS inside FROM (SELECT *, ${end} AS end_us FROM requests)) GROUP BY stream, phase ORDER BY stream, phase`;
}
