/** Requests that were sent and had no HTTP answer, by the reason that k6 gives. */
import type { Database } from '../evidence/duckdb.ts';
import { whyUnanswered } from '../evidence/error-codes.ts';
import { FILES } from '../evidence/tables.ts';

export interface UnansweredRow {
  stream: string;
  phase: string;
  /** k6's; null: none was recorded. */
  code: number | null;
  /** In words. */
  reason: string;
  requests: number;
  /** From the first that was sent to the last that was given up, ms. */
  fromMs: number;
  toMs: number;
}

export interface Unanswered {
  /** By stream, and then in the order of time. */
  rows: UnansweredRow[];
  /** Gives them again: runs as it is with DuckDB in the bundle's directory. */
  query: string;
}

interface Found {
  stream: string;
  phase: string;
  error_code: number | null;
  ended: boolean;
  requests: number;
  from_ms: number;
  to_ms: number;
}

/** @param db with the view or table `requests` (tables.ts) */
export async function collectUnanswered(db: Database): Promise<Unanswered> {
  // A bundle that was written before has no reasons, and still says how many had no answer.
  const known = (await db.columns('requests')).some(({ name }) => name === 'error_code');
  const query = (
    from: string,
  ) => `SELECT stream, phase, ${known ? 'error_code' : 'NULL::SMALLINT AS error_code'}, done_us IS NOT NULL AS ended,
  count(*) AS requests, min(sent_us) // 1000 AS from_ms, max(coalesce(done_us, sent_us)) // 1000 AS to_ms
FROM ${from} WHERE sent_us IS NOT NULL AND (done_us IS NULL OR status = 0)
GROUP BY ALL ORDER BY stream, min(intended_us), phase, error_code, ended`;
  const found = await db.rows<Found>(query('requests'));
  return {
    rows: found.map(({ stream, phase, error_code, ended, requests, from_ms, to_ms }) => ({
      ...{ stream, phase, requests, code: error_code, reason: whyUnanswered(error_code, ended) },
      ...{ fromMs: from_ms, toMs: to_ms },
    })),
    query: query(`'${FILES.requests}'`),
  };
}
