/**
 * Everything that the report's timeline draws, on one axis of milliseconds since the run's origin. DuckDB puts the rows
 * into fixed buckets, so that the size of the page depends on the run's length, not on its number of requests.
 */
import type { AlertChange } from '../evidence/alerts.ts';
import type { Database } from '../evidence/duckdb.ts';
import type { JournalEntry } from '../evidence/journal.ts';
import type { Phase, Plan } from '../evidence/plan.ts';
import { FILES, type TableName } from '../evidence/tables.ts';
import type { VerdictDocument } from '../evidence/verdict.ts';
import { alertLanes, faultLanes, type Lane, type Mark, marksOf } from './lanes.ts';
import { ledgerTracks, streamTracks } from './request-tracks.ts';
import { seriesTracks } from './series-tracks.ts';
import type { Tables } from './tables.ts';

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
  /** Drawn as steps: a value holds until the next. */
  step?: true;
  points: [number, number][];
}

export interface Track {
  id: string;
  title: string;
  unit: string;
  lines: Line[];
  /** Below “More series”, which is closed at first. */
  more: boolean;
  /** The table and the query that gave the points: runs as it is with DuckDB in the bundle's directory. */
  file: string;
  query: string;
}

export interface Timeline {
  endMs: number;
  /** Width of a point of requests and events. */
  bucketMs: number;
  phases: Phase[];
  faults: Lane[];
  alerts: Lane[];
  /** Alerts with a contract that never left `inactive`, and those of which nobody knows it; named below the lanes. */
  silent: string[];
  unseen: string[];
  marks: Mark[];
  tracks: Track[];
  /** Titles of series that are not drawn because they were zero all the time. */
  zero: string[];
  missing: Record<string, string>;
}

export interface TimelineSource {
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

/**
 * Points of requests and events are no narrower, however short the run is: at one request a second, a narrower bucket
 * shows a rate that nobody sent.
 */
const LEAST_BUCKET_MS = 1000;

/** A little room after the last activity, so that what happens at the very end can be seen. */
const ROOM_MS = 500;

/**
 * Where the axis ends: with the last activity of the run, not with the taking down of its target. A run that did not
 * complete ends where it stopped, whatever its plan meant to do after.
 */
async function endOf({ verdict, journal, alerts, phases }: TimelineSource, db: Database): Promise<number> {
  const [row] = await db.rows(`SELECT max(t) // 1000 AS t FROM (
    SELECT max(greatest(sent_us, done_us)) AS t FROM requests
    UNION ALL SELECT max(greatest(answered_us, first_processed_us)) FROM ledger)`);
  const completed = verdict.run.outcome === 'completed';
  const acts: JournalEntry['type'][] = [
    'drain.ended',
    'fault.reverted',
    'fault.effect-gone',
    'phase.ended',
    'abort',
  ];
  const instants = [
    Number(row?.t ?? 0),
    ...alerts.map((change) => change.t),
    ...journal.filter((e) => acts.includes(e.type) || (!completed && e.type !== 'audit')).map((e) => e.t),
    ...(completed ? phases.map((phase) => phase.endMs) : []),
  ];
  const last = instants.reduce((most, t) => Math.max(most, t), 0);
  const planned = phases.reduce((most, phase) => Math.max(most, phase.endMs), 1000);
  return Math.ceil(last > 0 ? last + ROOM_MS : planned);
}

export async function collectTimeline(source: TimelineSource, { db, missing }: Tables): Promise<Timeline> {
  const { plan, verdict, journal, phases } = source;
  const endMs = await endOf(source, db);
  const pointMs = bucketWidth(endMs, source.buckets);
  const bucketMs = Math.max(pointMs, LEAST_BUCKET_MS);
  const rows = await db.rows('SELECT DISTINCT stream FROM requests ORDER BY stream');
  const names = rows.map((row) => String(row.stream));
  const planned = plan?.streams.map((stream) => stream.name).filter((name) => names.includes(name)) ?? [];
  const tracks: Track[] = [];
  for (const stream of new Set([...planned, ...names]))
    tracks.push(...(await streamTracks(db, stream, bucketMs)));
  tracks.push(...(await ledgerTracks(db, bucketMs)));
  const series = await seriesTracks(db, plan, pointMs, endMs);
  const lanes = alertLanes(source, endMs);
  return {
    endMs,
    bucketMs,
    phases,
    faults: faultLanes(source, endMs),
    ...lanes,
    marks: marksOf(verdict, journal).filter((mark) => mark.t >= 0 && mark.t <= endMs),
    tracks: [...tracks, ...series.tracks],
    zero: series.zero,
    missing: Object.fromEntries(
      Object.entries(missing).map(([table, reason]) => [FILES[table as TableName], String(reason)]),
    ),
  };
}
