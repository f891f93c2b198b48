/** k6's raw output -> requests.parquet (evidence/tables.ts): one row for each request that the plan intended. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import type { Stream } from '../../evidence/plan.ts';
import {
  offsetSql,
  quoted,
  requestsSql,
  SLOTS_SQL,
  SURPLUS_SQL,
  samplesSql,
  segmentsSql,
  UNANSWERED_SQL,
} from './import-sql.ts';

export interface ImportOptions {
  /** LoadHandle.rawFile; may end in the middle of a line. */
  rawFile: string;
  runId: string;
  streams: Stream[];
  /** The run's origin, microseconds since the epoch by the wall clock. */
  originEpochUs: number;
  outFile: string;
}

export interface ImportResult {
  rows: number;
  /** Rows that were never sent: no free VU, or k6 had ended. */
  unsent: number;
  /** Rows that were sent and whose end nobody recorded, because k6 was stopped; status 0, outcome failed, done_us NULL. */
  unanswered: number;
  /** k6 began the schedule this much after the origin; intended_us is counted from there, µs. */
  offsetUs: number;
}

const MEMORY_LIMIT = '512MB';

/**
 * Slots: request i of a segment is intended at segment start + i/rate. k6 starts or drops one iteration a slot, so what it
 * started and what it dropped, merged in time order, fill the slots from 0; slots left over are unsent.
 * Works on disk beside rawFile when the memory limit is reached.
 * @throws EvidenceError when rawFile cannot be read
 * @throws HarnessError when k6 sent more than was intended
 */
export async function importRequests(o: ImportOptions): Promise<ImportResult> {
  await stat(o.rawFile).catch((cause) => {
    throw new EvidenceError(`k6 left no records: ${o.rawFile}`, { cause });
  });
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    temp_directory: join(dirname(o.rawFile), 'duckdb.tmp'),
    autoinstall_known_extensions: 'false',
  });
  const db = await instance.connect();
  const row = async (sql: string): Promise<Record<string, number>> => {
    const [first] = (await db.runAndReadAll(sql)).getRowObjects();
    return Object.fromEntries(Object.entries(first ?? {}).map(([name, value]) => [name, Number(value)]));
  };
  try {
    await db.run(segmentsSql(o.runId, o.streams));
    await db.run(samplesSql(o.rawFile));
    const { gaps, excess, surplus } = await row(`
      SELECT coalesce(sum(highest + 1 - sent), 0) AS gaps, count(*) FILTER (WHERE highest >= wanted) AS excess,
             count(*) FILTER (WHERE highest + 1 + dropped > wanted) AS surplus
      FROM (SELECT seg, count(n) AS sent, count(*) - count(n) AS dropped, coalesce(max(n), -1) AS highest FROM samples GROUP BY seg)
      JOIN segments USING (seg)`);
    if (excess) throw new HarnessError(`k6 sent more requests than the plan intended, in ${excess} segments`);
    if (gaps) await db.run(UNANSWERED_SQL);
    if (surplus) await db.run(SURPLUS_SQL);
    await db.run(SLOTS_SQL);
    await db.run('DROP TABLE samples');
    const { offset_us: offsetUs = 0 } = await row(offsetSql(o.originEpochUs));
    await db.run(`COPY (${requestsSql(o.originEpochUs, offsetUs)})
      TO ${quoted(o.outFile)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)`);
    const { rows = 0, unsent = 0 } = await row(
      `SELECT count(*) AS rows, count(*) FILTER (WHERE outcome = 'unsent') AS unsent FROM read_parquet(${quoted(o.outFile)})`,
    );
    return { rows, unsent, unanswered: gaps ?? 0, offsetUs };
  } finally {
    db.closeSync();
    instance.closeSync();
  }
}
