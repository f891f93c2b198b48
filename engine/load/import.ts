/** k6's records -> requests.parquet (evidence/tables.ts): one row for each request that the plan intended. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EvidenceError, HarnessError } from '../../base/errors.ts';
import { copySql, Database, quote } from '../../evidence/duckdb.ts';
import type { Stream } from '../../evidence/plan.ts';
import {
  COUNTS_SQL,
  offsetSql,
  requestsSql,
  SURPLUS_SQL,
  samplesSql,
  segmentsSql,
  sharesSql,
  slotsSql,
  unansweredSql,
} from './import-sql.ts';

export interface ImportOptions {
  /** LoadHandle.rawFiles; each may end in the middle of a line. */
  rawFiles: string[];
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

const MEMORY_MB = 512;

/**
 * Slots: request i of a segment is intended at segment start + i/rate. k6 starts or drops one iteration a slot, so what it
 * started and what it dropped, merged in time order, fill the slots from 0; slots left over are unsent.
 * Works on disk beside the records when the memory limit is reached.
 * @throws EvidenceError when a file of records cannot be read
 * @throws HarnessError when k6 sent more than was intended
 */
export async function importRequests(o: ImportOptions): Promise<ImportResult> {
  for (const file of o.rawFiles)
    await stat(file).catch((cause) => {
      throw new EvidenceError(`k6 left no records: ${file}`, { cause });
    });
  using db = await Database.open({ memoryMb: MEMORY_MB });
  await db.run(`SET temp_directory = ${quote(join(dirname(o.rawFiles[0] as string), 'duckdb.tmp'))}`);
  const shards = o.rawFiles.length;
  await db.run(segmentsSql(o.runId, o.streams));
  await db.run(sharesSql(shards));
  await db.run(samplesSql(o.rawFiles));
  const { gaps, excess, surplus } = await db.row<{ gaps: number; excess: number; surplus: boolean }>(
    COUNTS_SQL,
  );
  if (excess > 0)
    throw new HarnessError(`k6 sent more requests than the plan intended, in ${excess} segments`);
  if (gaps > 0) await db.run(unansweredSql(shards));
  if (surplus) await db.run(SURPLUS_SQL);
  await db.run(slotsSql(shards));
  await db.run('DROP TABLE samples');
  const { offset_us: offsetUs } = await db.row<{ offset_us: number }>(offsetSql(o.originEpochUs));
  await db.run(copySql(requestsSql(o.originEpochUs, offsetUs, shards), o.outFile));
  const { rows, unsent } = await db.row<{ rows: number; unsent: number }>(
    `SELECT count(*) AS rows, count(*) FILTER (WHERE outcome = 'unsent') AS unsent FROM read_parquet(${quote(o.outFile)})`,
  );
  return { rows, unsent, unanswered: gaps, offsetUs };
}
