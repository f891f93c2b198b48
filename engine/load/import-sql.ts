/** SQL (DuckDB) that turns k6's records (tools/k6/records) into the rows of requests.parquet. Instants are microseconds since the epoch until the last step. */
import { quote } from '../../evidence/duckdb.ts';
import type { Stream } from '../../evidence/plan.ts';
import { scenarioName } from './k6-files.ts';

/** `segments`: one row a segment that intends something. */
export function segmentsSql(runId: string, streams: Stream[]): string {
  const rows: string[] = [];
  for (const stream of streams) {
    let first = 0;
    stream.segments.forEach((s, i) => {
      if (s.count > 0) {
        const names = [scenarioName(stream.name, i), stream.name, s.phase, `${runId}.${stream.name}.${i}.`];
        rows.push(
          `(${[rows.length, ...names.map(quote), s.startMs * 1000, s.rate, s.count, first].join(', ')})`,
        );
      }
      first += s.count;
    });
  }
  const values =
    rows.length > 0 ? `VALUES ${rows.join(', ')}` : 'SELECT 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0 LIMIT 0';
  return `CREATE TABLE segments AS
    SELECT seg::INTEGER seg, scenario::VARCHAR scenario, stream::VARCHAR stream, phase::VARCHAR phase, id_prefix::VARCHAR id_prefix,
           start_us::DOUBLE start_us, rate::DOUBLE rate, wanted::INTEGER wanted, first_n::INTEGER first_n
    FROM (${values}) t(seg, scenario, stream, phase, id_prefix, start_us, rate, wanted, first_n)`;
}

/**
 * `samples`: one row a request that was started (n: its number within the segment) or dropped (n NULL); `used`: when. `shard`: which of
 * the k6 it was; of S of them, k6 gives the numbers s, s + S, s + 2 S, ... to the one that runs the execution segment s of S equal ones,
 * and `m` counts those. A line that is not whole, the last one of a killed k6, has no point at its end.
 */
export function samplesSql(rawFiles: string[]): string {
  const lines = rawFiles.map(
    (
      file,
      shard,
    ) => `SELECT ${shard} AS shard, * FROM read_csv(${quote(file)}, delim = chr(9), quote = '', escape = '', header = false, auto_detect = false,
        columns = {'scenario': 'VARCHAR', 'used': 'BIGINT', 'done': 'BIGINT', 'n': 'INTEGER', 'status': 'SMALLINT',
          'error_code': 'SMALLINT', 'outcome': 'VARCHAR', 'cold': 'BOOLEAN', 'begun': 'BIGINT', 'whole': 'VARCHAR'},
        strict_mode = false, null_padding = true, ignore_errors = true, max_line_size = 1000000)
      WHERE whole = '.'`,
  );
  return `CREATE TABLE samples AS
    WITH lines AS (${lines.join(' UNION ALL ')})
    SELECT s.seg, shard::INTEGER AS shard, ((n - shard) // ${rawFiles.length})::INTEGER AS m, n, used, done, status, outcome,
      coalesce(cold, false) AS cold, begun, error_code
    FROM lines JOIN segments s USING (scenario)`;
}

/** How many were started and left no record, in how many segments more than intended were, and whether something came after the last slot. */
export const COUNTS_SQL = `
  WITH each AS (SELECT seg, shard, count(n) AS sent, coalesce(max(m), -1) AS highest, coalesce(max(n), -1) AS top, count(*) - count(n) AS dropped
                FROM samples GROUP BY seg, shard),
  segs AS (SELECT seg, sum(highest + 1 - sent) AS gaps, max(top) AS top, bool_or(highest + 1 + dropped > share) AS surplus
           FROM each JOIN shares USING (seg, shard) GROUP BY seg)
  SELECT coalesce(sum(gaps), 0)::BIGINT AS gaps, count(*) FILTER (WHERE top >= wanted) AS excess, coalesce(bool_or(surplus), false) AS surplus
  FROM segs JOIN segments USING (seg)`;

/**
 * Requests that were started and left no record: each k6 numbers its requests of a segment without gaps, so a missing number
 * below the highest was in flight when k6 was stopped. It was sent no earlier than the one before it; that instant is taken.
 */
export const unansweredSql = (shards: number): string => `INSERT INTO samples
  WITH known AS (
    SELECT seg, shard, m, used, lag(m, 1, -1) OVER w AS before, lag(used, 1, used) OVER w AS before_used
    FROM samples WHERE n IS NOT NULL WINDOW w AS (PARTITION BY seg, shard ORDER BY m)),
  missing AS (SELECT seg, shard, unnest(range(before + 1, m))::INTEGER AS m, before_used FROM known WHERE m > before + 1)
  SELECT seg, shard, m, m * ${shards} + shard, before_used, NULL, 0, 'failed', false, NULL, NULL FROM missing`;

/** `shares`: how many slots of a segment each k6 has. */
export const sharesSql = (shards: number): string => `CREATE TABLE shares AS
  SELECT seg, shard::INTEGER AS shard, greatest(0, (wanted - shard + ${shards - 1}) // ${shards})::INTEGER AS share
  FROM segments, range(${shards}) t(shard)`;

/** k6 may drop an iteration or two after the last slot of a segment, when its clock and its timer race; those are nobody's. */
export const SURPLUS_SQL = `DELETE FROM samples WHERE rowid IN (
  WITH surplus AS (SELECT seg, shard, count(*) - any_value(share) AS surplus FROM samples JOIN shares USING (seg, shard) GROUP BY seg, shard),
  last AS (SELECT rowid AS id, seg, shard, row_number() OVER (PARTITION BY seg, shard ORDER BY used DESC) AS rank FROM samples WHERE n IS NULL)
  SELECT id FROM last JOIN surplus USING (seg, shard) WHERE rank <= surplus)`;

/**
 * Requests in time order fill the slots of their segment, those of each k6 its own: it starts or drops exactly one iteration a slot, in
 * order. So a k6 that is late, or whose clock is, does not change what another's requests were intended for.
 */
export const slotsSql = (shards: number): string => `CREATE TABLE slots AS
  SELECT *, (row_number() OVER (PARTITION BY seg, shard ORDER BY used, n) - 1) * ${shards} + shard AS slot FROM samples`;

/**
 * How much later than the origin k6 began the schedule, µs: as k6 itself says, with the first request of a segment; where
 * that record was lost, as the segment's promptest request says. The earliest segment counts, and the earliest k6: one that itself was
 * late shows as lateness of its requests.
 */
export function offsetSql(originEpochUs: number): string {
  return `WITH each AS (
      SELECT min(begun) - any_value(start_us) AS begun,
             min(used - (start_us + slot * 1e6 / rate)) FILTER (WHERE done IS NOT NULL) AS promptest
      FROM slots JOIN segments USING (seg) GROUP BY seg)
    SELECT coalesce(floor(min(coalesce(begun, promptest)) - ${originEpochUs}), 0)::BIGINT AS offset_us FROM each`;
}

/** The rows in the columns and the order of REQUESTS_DDL. A slot that k6 never reached is unsent. */
export function requestsSql(originEpochUs: number, offsetUs: number, shards: number): string {
  return `WITH rows AS (
      SELECT seg, slot, used, done, status, outcome, cold, n, error_code FROM slots
      UNION ALL
      SELECT seg, unnest(range(reached, share)) * ${shards} + shard, NULL, NULL, NULL, 'unsent', false, NULL, NULL
      FROM (SELECT seg, shard, share, count(slot) AS reached FROM shares LEFT JOIN slots USING (seg, shard) GROUP BY ALL)
    )
    SELECT stream, phase, (first_n + slot)::INTEGER AS n,
      round(start_us + slot * 1e6 / rate)::BIGINT + ${offsetUs} AS intended_us,
      CASE WHEN n IS NOT NULL THEN used - ${originEpochUs} END::BIGINT AS sent_us,
      (done - ${originEpochUs})::BIGINT AS done_us,
      status::SMALLINT AS status, outcome, cold,
      CASE WHEN n IS NOT NULL THEN id_prefix || n END AS event_id, error_code
    FROM rows JOIN segments USING (seg) ORDER BY stream, first_n + slot`;
}
