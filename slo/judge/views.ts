/**
 * The views that SQL in a plan, and the queries of the verdict's evidence, are written against. docs/bundle.md shows them to users.
 * A request without an answer (refused, reset, given up: status 0, though k6 says when it ended) is worse than any answer: its times are infinite, so that it can not vanish from a
 * quantile. The same for an accepted event that was never processed; an event that was neither accepted nor processed owes
 * nothing, and its time is NULL.
 */
export const REQUESTS_VIEW = `SELECT *, outcome = 'ok' AS ok, outcome = 'unsent' AS unsent,
  CASE WHEN done_us IS NULL OR status = 0 THEN 'infinity'::DOUBLE ELSE (done_us - intended_us) / 1e6 END AS latency_s,
  CASE WHEN done_us IS NULL OR status = 0 THEN 'infinity'::DOUBLE ELSE (done_us - sent_us) / 1e6 END AS service_s`;

export const LEDGER_VIEW = `SELECT *, accepted AND processed = 0 AS lost, processed > 1 AS duplicated,
  processed > 0 AND stream IS NULL AS unexpected, processed > 0 AND NOT accepted AND stream IS NOT NULL AS recovered,
  accepted AND result IN ('failed', 'error') AS failed,
  CASE WHEN first_processed_us IS NOT NULL THEN (first_processed_us - sent_us) / 1e6
       WHEN accepted THEN 'infinity'::DOUBLE END AS build_s`;

export const SERIES_VIEW = 'SELECT *';

const SOURCES: Record<string, string> = {
  requests: `${REQUESTS_VIEW} FROM 'requests.parquet'`,
  ledger: `${LEDGER_VIEW} FROM 'ledger.parquet'`,
  series: `${SERIES_VIEW} FROM 'series.parquet'`,
};

/** A query of the views as one that runs by itself in the bundle's directory. */
export function standalone(sql: string, ...views: string[]): string {
  const parts = views.flatMap((v) => (SOURCES[v] ? [`${v} AS (${SOURCES[v]})`] : []));
  const text = parts.length > 0 ? `WITH ${parts.join(', ')} ${sql}` : sql;
  return text.replace(/\s+/g, ' ').trim();
}
