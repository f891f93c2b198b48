/**
 * Everything that the report's timeline draws, on one axis of milliseconds since the run's origin. DuckDB puts the rows
 * into fixed buckets, so that the size of the page depends on the run's length, not on its number of requests.
 */
import type { AlertChange } from '../evidence/alerts.ts';
import type { JournalEntry } from '../evidence/journal.ts';
import type { Phase, Plan } from '../evidence/plan.ts';
import { FILES, type TableName } from '../evidence/tables.ts';
import type { VerdictDocument } from '../evidence/verdict.ts';
import { alertLanes, faultLanes, type Lane, type Mark, marksOf } from './lanes.ts';
import { openTables, type Tables } from './tables.ts';

/** One line of a track. Points are [ms, value], ascending; the client breaks the line where `gapMs` is exceeded. */
export interface Line {
  name: string;
  /** Style of the line; the page has one for each. */
  style:
    | 'intended'
    | 'sent'
    | 'failed'
    | 'unsent'
    | 'p50'
    | 'p95'
    | 'p99'
    | 's0'
    | 's1'
    | 's2'
    | 's3'
    | 's4'
    | 's5';
  gapMs: number;
  points: [number, number][];
}

export interface Track {
  id: string;
  title: string;
  unit: string;
  lines: Line[];
  /** The table and the query that gave the points: runs as it is with DuckDB in the bundle's directory. */
  file: string;
  query: string;
}

export interface Timeline {
  endMs: number;
  bucketMs: number;
  phases: Phase[];
  faults: Lane[];
  alerts: Lane[];
  /** Alerts with a contract that never left `inactive`; named below the lanes. */
  silent: string[];
  marks: Mark[];
  tracks: Track[];
  missing: Record<string, string>;
}

export interface TimelineSource {
  dir: string;
  plan: Plan | undefined;
  verdict: VerdictDocument;
  journal: JournalEntry[];
  alerts: AlertChange[];
  phases: Phase[];
  buckets: number;
}

/** The least of 1, 2, 5 x 10^n ms that cuts `spanMs` into at most `buckets` pieces. */
export function bucketWidth(spanMs: number, buckets: number): number {
  const least = Math.max(spanMs / buckets, 1);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((width) => width >= least) ?? power * 10;
}

const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
const round = (value: unknown) => Number(Number(value).toPrecision(4));
const MAX_SERIES_LINES = 6;
const MAX_SERIES_TRACKS = 24;

/** SQL over a view (to run here) or over the file's quoted name (to show: runs as it is in the bundle's directory). */
type Query = (from: string) => string;
type Points = [number, number][];
const pointsOf = (rows: Record<string, unknown>[], column: string): Points =>
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

async function streamTracks(tables: Tables, stream: string, width: number): Promise<Track[]> {
  const us = width * 1000;
  const perSecond = 1000 / width;
  const where = `WHERE stream = ${text(stream)}`;
  const sent: Query = (from) => `SELECT sent_us // ${us} * ${width} AS t, count(*) * ${perSecond} AS sent
FROM ${from} ${where} AND sent_us IS NOT NULL GROUP BY t ORDER BY t`;
  const rate: Query = (
    from,
  ) => `SELECT intended_us // ${us} * ${width} AS t, count(*) * ${perSecond} AS intended,
  count(*) FILTER (outcome IN ('failed', 'timeout')) * ${perSecond} AS failed,
  count(*) FILTER (outcome = 'unsent') * ${perSecond} AS unsent
FROM ${from} ${where} GROUP BY t ORDER BY t`;
  const latency: Query = (from) => `SELECT intended_us // ${us} * ${width} AS t,
  quantile_disc(done_us - intended_us, 0.50) / 1e3 AS p50,
  quantile_disc(done_us - intended_us, 0.95) / 1e3 AS p95,
  quantile_disc(done_us - intended_us, 0.99) / 1e3 AS p99
FROM ${from} ${where} AND done_us IS NOT NULL GROUP BY t ORDER BY t`;
  const rates = await tables.rows(rate('requests'));
  const sents = await tables.rows(sent('requests'));
  const latencies = await tables.rows(latency('requests'));
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
      query: rate(shown),
    },
    {
      id: `latency-${stream}`,
      title: `${stream}: response time`,
      unit: 'ms',
      lines: (['p50', 'p95', 'p99'] as const).map((p) => line(p, p, pointsOf(latencies, p))),
      file,
      query: latency(shown),
    },
  ];
}

/** Accepted -> processed: what the sender of an event really waits for. */
async function ledgerTracks(tables: Tables, width: number): Promise<Track[]> {
  const query: Query = (from) => `SELECT sent_us // ${width * 1000} * ${width} AS t,
  quantile_disc(first_processed_us - sent_us, 0.50) / 1e6 AS p50,
  quantile_disc(first_processed_us - sent_us, 0.95) / 1e6 AS p95,
  quantile_disc(first_processed_us - sent_us, 0.99) / 1e6 AS p99
FROM ${from} WHERE first_processed_us IS NOT NULL AND sent_us IS NOT NULL GROUP BY t ORDER BY t`;
  const rows = await tables.rows(query('ledger'));
  if (rows.length === 0) return [];
  const lines = (['p50', 'p95', 'p99'] as const).map(
    (p): Line => ({ name: p, style: p, gapMs: width * 2.5, points: pointsOf(rows, p) }),
  );
  return [
    {
      id: 'processing',
      title: 'Events: sent to processed',
      unit: 's',
      lines,
      file: FILES.ledger,
      query: query(`'${FILES.ledger}'`),
    },
  ];
}

const GAUGES = /queue|backlog|depth|pod|replica|job|concurren|worker|running|cold/i;

function labelText(labels: string): string {
  try {
    const parsed = JSON.parse(labels) as Record<string, string>;
    return Object.values(parsed).join(', ');
  } catch {
    return labels;
  }
}

/** Each named query over the run is one track; queues, pods and jobs first. The largest label sets are drawn. */
async function seriesTracks(tables: Tables, width: number, scrapeMs: number): Promise<Track[]> {
  const found = await tables.rows(
    `SELECT query, kind FROM series WHERE kind IN ('range', 'observed') GROUP BY ALL ORDER BY query, kind`,
  );
  const order = (q: string) => (GAUGES.test(q) ? 0 : q.startsWith('core.') ? 2 : 1);
  const named = found.map((row) => ({ query: String(row.query), kind: String(row.kind) }));
  named.sort((a, b) => order(a.query) - order(b.query));
  const tracks: Track[] = [];
  for (const { query: name, kind } of named.slice(0, MAX_SERIES_TRACKS)) {
    const where = `query = ${text(name)} AND kind = ${text(kind)} AND isfinite(value)`;
    const query: Query = (from) => `SELECT labels, arg_max(t_us, value) // 1000 AS t, max(value) AS value
FROM ${from} WHERE ${where}
GROUP BY labels, t_us // ${width * 1000} ORDER BY labels, t`;
    const byLabels = Map.groupBy(await tables.rows(query('series')), (row) => String(row.labels));
    const peak = (rows: Record<string, unknown>[]) =>
      rows.reduce((max, r) => Math.max(max, Number(r.value)), -Infinity);
    const largest = [...byLabels].sort((a, b) => peak(b[1]) - peak(a[1]) || (a[0] < b[0] ? -1 : 1));
    const gapMs = Math.max(width, scrapeMs) * 4;
    tracks.push({
      id: `series-${kind}-${name}`,
      title: name,
      unit: '',
      lines: largest.slice(0, MAX_SERIES_LINES).map(([labels, rows], i) => ({
        name: labelText(labels) || 'value',
        style: `s${i}` as Line['style'],
        gapMs,
        points: pointsOf(rows, 'value'),
      })),
      file: FILES.series,
      query: query(`'${FILES.series}'`),
    });
  }
  return tracks;
}

export async function collectTimeline(source: TimelineSource): Promise<Timeline> {
  const { plan, verdict, journal, phases } = source;
  const tables = await openTables(source.dir);
  try {
    const [extent] = await tables.rows(`SELECT max(t) // 1000 AS t FROM
      (SELECT max(greatest(intended_us, done_us)) AS t FROM requests UNION ALL SELECT max(t_us) FROM series)`);
    const last = (list: { endMs: number }[]) => list.reduce((max, p) => Math.max(max, p.endMs), 0);
    const endMs = Math.ceil(Math.max(last(phases), Number(extent?.t ?? 0), journal.at(-1)?.t ?? 0, 1000));
    const bucketMs = bucketWidth(endMs, source.buckets);
    const names = (await tables.rows('SELECT DISTINCT stream FROM requests ORDER BY stream')).map((r) =>
      String(r.stream),
    );
    const planned = plan?.streams.map((s) => s.name) ?? [];
    const streams = [
      ...planned.filter((s) => names.includes(s)),
      ...names.filter((s) => !planned.includes(s)),
    ];
    const tracks: Track[] = [];
    for (const stream of streams) tracks.push(...(await streamTracks(tables, stream, bucketMs)));
    tracks.push(...(await ledgerTracks(tables, bucketMs)));
    tracks.push(...(await seriesTracks(tables, bucketMs, plan?.scrapeMs ?? 1000)));
    const lanes = alertLanes(source, endMs);
    return {
      endMs,
      bucketMs,
      phases,
      faults: faultLanes(source, endMs),
      ...lanes,
      marks: marksOf(verdict, journal),
      tracks,
      missing: Object.fromEntries(
        Object.entries(tables.missing).map(([table, reason]) => [FILES[table as TableName], String(reason)]),
      ),
    };
  } finally {
    tables.close();
  }
}
