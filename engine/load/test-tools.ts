/** What the tests of this room share: a plan's stream, and requests.parquet as rows. */
import { segmentCount } from '../../base/schedule.ts';
import { Database, quote } from '../../evidence/duckdb.ts';
import type { Stream } from '../../evidence/plan.ts';
import type { RequestRow } from '../../evidence/tables.ts';

/** A stream of consecutive segments `[phase, lengthMs, rate]` from 0. */
export function stream(
  name: string,
  script: string,
  segments: [string, number, number][],
  o: Partial<Stream> = {},
): Stream {
  let startMs = 0;
  return {
    name,
    script,
    segments: segments.map(([phase, lengthMs, rate]) => {
      const endMs = startMs + lengthMs;
      const s = { phase, startMs, endMs, rate, count: segmentCount(startMs, endMs, rate) };
      startMs = endMs;
      return s;
    }),
    timeoutMs: 5000,
    maxVUs: 20,
    ledger: false,
    params: {},
    ...o,
  };
}

/** All rows of a requests.parquet, in the order in which they stand there. */
export async function readRequests(file: string): Promise<RequestRow[]> {
  using db = await Database.open();
  return await db.rows<RequestRow>(`SELECT * FROM read_parquet(${quote(file)})`);
}
