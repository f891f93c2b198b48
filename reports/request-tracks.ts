/** Tracks from what the clients saw: rate, errors and response time of each stream, and each event's way to its result. */
import { type Database, quote } from '../evidence/duckdb.ts';
import { FILES } from '../evidence/tables.ts';
import type { Line, Track } from './timeline.ts';

const round = (value: unknown) => Number(Number(value).toPrecision(4));

/** SQL over a view (to run here) or over the file's quoted name (to show: runs as it is in the bundle's directory). */
export type Query = (from: string) => string;
export type Points = [number, number][];
export const pointsOf = (rows: Record<string, unknown>[], column: string): Points =>
  rows.flatMap(
    (row): Points =>
      row[column] === null || row[column] === undefined ? [] : [[Number(row.t), round(row[column])]],
  );

/** A bucket in which requests were intended and none was sent has rate 0, not no rate. */
function withZeros(points: Points, intended: Record<string, unknown>[]): Points {
  const all = new Map<number, number>(intended.map((row) => [Number(row.t), 0]));
  for (const [t, value] of points) all.set(t, value);
  return [...all].sort((a, b) => a[0] - b[0]);
}

export async function streamTracks(db: Database, stream: string, width: number): Promise<Track[]> {
  const us = width * 1000;
  const perSecond = 1000 / width;
  const where = `WHERE stream = ${quote(stream)}`;
  const sent: Query = (from) => `SELECT sent_us // ${us} * ${width} AS t, count(*) * ${perSecond} AS sent
FROM ${from} ${where} AND sent_us IS NOT NULL GROUP BY t ORDER BY t`;
  // A bucket in which nothing was intended is rate 0, not no rate: hence a row for every bucket of the stream.
  const rate: Query = (from) => `WITH bucket AS (
  SELECT unnest(range(min(intended_us) // ${us}, max(intended_us) // ${us} + 1)) AS b FROM ${from} ${where})
SELECT b * ${width} AS t, count(intended_us) * ${perSecond} AS intended,
  count(*) FILTER (outcome IN ('failed', 'timeout')) * ${perSecond} AS failed,
  count(*) FILTER (outcome = 'unsent') * ${perSecond} AS unsent
FROM bucket LEFT JOIN (FROM ${from} ${where}) ON intended_us // ${us} = b GROUP BY b ORDER BY b`;
  const latency: Query = (from) => `SELECT intended_us // ${us} * ${width} AS t,
  quantile_disc(done_us - intended_us, 0.50) / 1e3 AS p50,
  quantile_disc(done_us - intended_us, 0.95) / 1e3 AS p95,
  quantile_disc(done_us - intended_us, 0.99) / 1e3 AS p99
FROM ${from} ${where} AND done_us IS NOT NULL AND status > 0 GROUP BY t ORDER BY t`;
  const rates = await db.rows(rate('requests'));
  const sents = await db.rows(sent('requests'));
  const latencies = await db.rows(latency('requests'));
  const line = (name: string, style: Line['style'], points: Points): Line => ({
    name,
    style,
    gapMs: width * 2.5,
    points,
  });
  const file = FILES.requests;
  const shown = `'${file}'`;
  return [
    {
      id: `rate-${stream}`,
      title: `${stream}: request rate`,
      unit: '/s',
      lines: [
        line('intended', 'intended', pointsOf(rates, 'intended')),
        line('sent', 'sent', withZeros(pointsOf(sents, 'sent'), rates)),
      ],
      file,
      more: false,
      query: `${rate(shown)};\n${sent(shown)}`,
    },
    {
      id: `errors-${stream}`,
      title: `${stream}: errors`,
      unit: '/s',
      lines: [
        line('failed', 'failed', pointsOf(rates, 'failed')),
        line('not sent', 'unsent', pointsOf(rates, 'unsent')),
      ],
      file,
      more: false,
      query: rate(shown),
    },
    {
      id: `latency-${stream}`,
      title: `${stream}: response time`,
      unit: 'ms',
      lines: (['p50', 'p95', 'p99'] as const).map((p) => line(p, p, pointsOf(latencies, p))),
      file,
      more: false,
      query: latency(shown),
    },
  ];
}

/** Accepted -> processed: what the sender of an event really waits for. */
export async function ledgerTracks(db: Database, width: number): Promise<Track[]> {
  const query: Query = (from) => `SELECT sent_us // ${width * 1000} * ${width} AS t,
  quantile_disc(first_processed_us - sent_us, 0.50) / 1e6 AS p50,
  quantile_disc(first_processed_us - sent_us, 0.95) / 1e6 AS p95,
  quantile_disc(first_processed_us - sent_us, 0.99) / 1e6 AS p99
FROM ${from} WHERE first_processed_us IS NOT NULL AND sent_us IS NOT NULL GROUP BY t ORDER BY t`;
  const rows = await db.rows(query('ledger'));
  if (rows.length === 0) return [];
  const lines = (['p50', 'p95', 'p99'] as const).map(
    (p): Line => ({ name: p, style: p, gapMs: width * 2.5, points: pointsOf(rows, p) }),
  );
  return [
    {
      id: 'processing',
      title: 'Events: from sent to processed',
      unit: 's',
      lines,
      file: FILES.ledger,
      more: false,
      query: query(`'${FILES.ledger}'`),
    },
  ];
}
