/**
 * The Parquet tables of a bundle. All instants are integer microseconds since the run's origin, so that sums are exact
 * and a verdict does not depend on the order of summation. Written with ZSTD, Parquet V2 (delta encodings).
 */

/** `requests.parquet`: one row a request that the load profile intended, sent or not; ordered by stream, n. */
export const REQUESTS_DDL = `CREATE TABLE requests (
  stream      VARCHAR NOT NULL,   -- load stream of the scenario
  phase       VARCHAR NOT NULL,   -- phase in which intended_us lies
  n           INTEGER NOT NULL,   -- position in the stream's schedule, from 0
  intended_us BIGINT  NOT NULL,   -- when the open model meant to start it
  sent_us     BIGINT,             -- when it was started; NULL: never sent
  done_us     BIGINT,             -- when the answer (or the failure) was complete; NULL: never sent or no answer recorded
  status      SMALLINT,           -- HTTP status; 0: no HTTP answer (refused, reset, timeout); NULL: never sent
  outcome     VARCHAR NOT NULL,   -- ok | failed | timeout | unsent   (ok: the answer that this request asked for)
  cold        BOOLEAN NOT NULL,   -- the answer says that a function was started for it
  event_id    VARCHAR,            -- CloudEvent id; NULL: never sent
  error_code  SMALLINT            -- why there was no HTTP answer, by k6's code (evidence/error-codes.ts); NULL: there was one, it was never sent, or nobody knows
)`;

/** `ledger.parquet`: one row a CloudEvent id that was sent to be processed, or was seen processed. Ordered by event_id. */
export const LEDGER_DDL = `CREATE TABLE ledger (
  event_id           VARCHAR NOT NULL,
  stream             VARCHAR,           -- NULL: nobody sent it (unexpected)
  phase              VARCHAR,           -- phase in which it was sent
  sent_us            BIGINT,
  answered_us        BIGINT,
  status             SMALLINT,          -- HTTP status of the answer, 0: none
  accepted           BOOLEAN NOT NULL,  -- the platform said 2xx: it owes us the processing
  processed          INTEGER NOT NULL,  -- how many terminal results (completed, failed, ready, success, error) were seen for it
  first_processed_us BIGINT,
  result             VARCHAR,           -- result of the first terminal event: completed | failed | ready | success | error
  artifact           VARCHAR,           -- image that the platform claims to have pushed, by its digest where it names one
  artifact_found     BOOLEAN            -- the registry has that manifest; NULL: not asked, or not known
)`;

/**
 * `series.parquet`: samples of named queries. `kind`:
 * `raw` counters and gauges as scraped; `range` a query of the profile over the whole run; `phase` the same query
 * evaluated once at the end of a phase (of the last one, a scrape later) with the window set to the phase; `observed` what the harness counted itself.
 */
export const SERIES_DDL = `CREATE TABLE series (
  query  VARCHAR NOT NULL,
  kind   VARCHAR NOT NULL,
  phase  VARCHAR,             -- for kind phase
  labels VARCHAR NOT NULL,    -- JSON object, keys sorted
  t_us   BIGINT  NOT NULL,
  value  DOUBLE  NOT NULL
)`;

export const TABLES = { requests: REQUESTS_DDL, ledger: LEDGER_DDL, series: SERIES_DDL } as const;
export type TableName = keyof typeof TABLES;

/** Columns at a table's end that a bundle of this version need not have: it may have been written before they were added. */
export const ADDED_LATER: Partial<Record<TableName, readonly string[]>> = { requests: ['error_code'] };

/** Series with a sample (of kind `raw`) for each instant at which Prometheus evaluated the rules. */
export const HEARTBEAT = 'faultline_rules_evaluated';

/** Points of a chart's curve over the whole run: enough for a screen's width. */
const RANGE_POINTS = 240;

/** Between two samples of a series of kind `range`, ms. */
export const rangeStepMs = (scrapeMs: number, runMs: number) => Math.max(scrapeMs, runMs / RANGE_POINTS);

/** Series (of kind `raw`) that tells one life of a process from the next; not every platform exposes it. */
export const PROCESS_START = 'process_start_time_seconds';

/**
 * Series (of kind `observed`): when the process that ran at the end was started, seconds since the run's origin, before which it should
 * be; labels {"component": "prometheus" | "alertmanager"}.
 */
export const MONITORING_STARTED = 'monitoring_started';

/** File names inside a bundle directory. */
export const FILES = {
  plan: 'plan.json',
  journal: 'journal.ndjson',
  requests: 'requests.parquet',
  series: 'series.parquet',
  alerts: 'alerts.ndjson',
  ledger: 'ledger.parquet',
  traces: 'traces.ndjson',
  logs: 'logs',
  verdict: 'verdict.json',
  report: 'report.html',
} as const;

/** Rows of the tables, as they are written. */
export interface RequestRow {
  stream: string;
  phase: string;
  n: number;
  intended_us: number;
  sent_us: number | null;
  done_us: number | null;
  status: number | null;
  outcome: 'ok' | 'failed' | 'timeout' | 'unsent';
  cold: boolean;
  event_id: string | null;
  error_code: number | null;
}

export interface LedgerRow {
  event_id: string;
  stream: string | null;
  phase: string | null;
  sent_us: number | null;
  answered_us: number | null;
  status: number | null;
  accepted: boolean;
  processed: number;
  first_processed_us: number | null;
  result: string | null;
  artifact: string | null;
  artifact_found: boolean | null;
}

export interface SeriesRow {
  query: string;
  kind: 'raw' | 'range' | 'phase' | 'observed';
  phase: string | null;
  labels: string;
  t_us: number;
  value: number;
}
