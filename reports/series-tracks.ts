/** Tracks from series.parquet: what the platform says of itself. A few stand in sight, the others below “More series”. */

import { type Database, quote } from '../evidence/duckdb.ts';
import type { Plan } from '../evidence/plan.ts';
import { FILES } from '../evidence/tables.ts';
import { pointsOf, type Query } from './request-tracks.ts';
import type { Line, Track } from './timeline.ts';

const MAX_LINES = 6;
const MAX_TRACKS = 24;
/** Queues that the broker or the harness made for itself: no part of the platform. */
const NOT_THE_PLATFORMS = /^(amq\.gen-|faultline)/;

interface Known {
  title: string;
  unit: string;
  /** In sight, in the order of this table. */
  main?: true;
}
/** Names that profiles give their queries (targets/profiles), and what the harness observes itself. */
const KNOWN: Record<string, Known> = {
  pods: { title: 'Pods', unit: 'pods', main: true },
  pods_ready: { title: 'Pods that take requests', unit: 'pods' },
  queue_depth: { title: 'Queue depth', unit: 'messages', main: true },
  kaniko_jobs: { title: 'Build jobs running', unit: 'jobs', main: true },
  workqueue_depth: { title: 'Operator’s work queue', unit: 'items', main: true },
  queue_unacked: { title: 'Taken from the queue, not acknowledged', unit: 'messages' },
  components_ready: { title: 'Components ready', unit: '1 = ready' },
  concurrent_executions: { title: 'Concurrent executions', unit: 'calls' },
  reconcile_p99: { title: 'Reconcile time, p99', unit: 's' },
  build_failures: { title: 'Build failures', unit: '/s' },
  cold_starts: { title: 'Cold starts', unit: '/s' },
};
/** Metrics of `core.<stream>.<metric>` that share one track. */
const CORE: { metrics: string[]; title: string; unit: string }[] = [
  { metrics: ['qps', 'tps'], title: 'rate as the platform counts it', unit: '/s' },
  { metrics: ['concurrency'], title: 'concurrency as the platform counts it', unit: '' },
  { metrics: ['p50', 'p95', 'p99'], title: 'response time as the platform measures it', unit: 's' },
];

/** One or more named queries that are drawn together. */
interface Group {
  id: string;
  title: string;
  unit: string;
  /** Place among the tracks in sight; null: below “More series”. */
  place: number | null;
  kind: string;
  queries: string[];
}

const human = (name: string) => {
  const words = name.replaceAll(/[_-]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function groupOf(query: string, kind: string, plan: Plan | undefined): Omit<Group, 'queries'> {
  const [, stream, metric] = query.match(/^core\.(.+)\.([^.]+)$/) ?? [];
  const core = CORE.find((c) => metric !== undefined && c.metrics.includes(metric));
  if (core) {
    const title = `${stream}: ${core.title}`;
    return { id: `core-${stream}-${core.metrics[0]}`, title, unit: core.unit, place: null, kind };
  }
  const known = KNOWN[query];
  const objective = plan?.objectives.find((o) => `objective.${o.name}` === query);
  const unit = objective && 'unit' in objective.indicator ? objective.indicator.unit : '';
  return {
    id: `series-${kind}-${query}`,
    title:
      known?.title ??
      (objective ? `Objective: ${objective.title}` : human(query.replace(/^objective\./, 'Objective: '))),
    unit: known?.unit ?? (unit === '1' || unit === 'ratio' ? '' : unit),
    place: known?.main ? Object.keys(KNOWN).indexOf(query) : null,
    kind,
  };
}

async function groupsOf(db: Database, plan: Plan | undefined): Promise<Group[]> {
  // A series of one instant (such as the number of evaluations at the end) is no curve.
  const found = await db.rows(`SELECT query, kind FROM series WHERE kind IN ('range', 'observed')
    GROUP BY query, kind HAVING count(DISTINCT t_us) > 1 ORDER BY query, kind`);
  const groups = new Map<string, Group>();
  for (const row of found) {
    const query = String(row.query);
    const group = groupOf(query, String(row.kind), plan);
    const same = groups.get(group.id);
    if (same) same.queries.push(query);
    else groups.set(group.id, { ...group, queries: [query] });
  }
  return [...groups.values()].sort((a, b) => (a.place ?? 99) - (b.place ?? 99));
}

function labelsOf(labels: string): Record<string, string> {
  try {
    return JSON.parse(labels) as Record<string, string>;
  } catch {
    return { labels };
  }
}

async function linesOf(db: Database, group: Group, query: Query, gapMs: number): Promise<Line[]> {
  const byLabels = Map.groupBy(await db.rows(query('series')), (row) =>
    JSON.stringify([row.query, row.labels]),
  );
  const lines = [...byLabels.values()].flatMap((rows) => {
    const labels = labelsOf(String(rows[0]?.labels));
    if (labels.queue !== undefined && NOT_THE_PLATFORMS.test(labels.queue)) return [];
    const said = Object.values(labels).join(', ');
    const metric = String(rows[0]?.query).split('.').at(-1) ?? '';
    const name = group.queries.length > 1 || !said ? [metric, said].filter(Boolean).join(' ') : said;
    const points = pointsOf(rows, 'value');
    const peak = points.reduce((most, [, value]) => Math.max(most, Math.abs(value)), 0);
    return [{ name: group.id.startsWith('core-') ? name : said || 'value', points, peak }];
  });
  const moving = lines.filter((line) => line.peak > 0);
  // What is at zero all the time says it once.
  const shown =
    moving.length > 0
      ? moving
      : lines.slice(0, 1).map((line) => ({ ...line, name: lines.length > 1 ? 'all of them' : line.name }));
  if (!group.id.startsWith('core-')) shown.sort((a, b) => b.peak - a.peak || (a.name < b.name ? -1 : 1));
  return shown.slice(0, MAX_LINES).map(({ name, points }, i) => ({
    name,
    style: `s${i}` as Line['style'],
    // What the harness observes itself is written down on change, and holds until the next.
    ...(group.kind === 'observed' ? { step: true as const, gapMs: 1e12 } : { gapMs }),
    points,
  }));
}

const samePoints = (a: Line, b: Line) => JSON.stringify(a.points) === JSON.stringify(b.points);

/**
 * The series as tracks, those in sight first.
 * @returns `zero`: titles of those that are not drawn because they were zero all the time. A series that equals one which
 * is drawn already is left out.
 */
export async function seriesTracks(
  db: Database,
  plan: Plan | undefined,
  width: number,
  endMs: number,
): Promise<{ tracks: Track[]; zero: string[] }> {
  const tracks: Track[] = [];
  const zero: string[] = [];
  const gapMs = Math.max(width, plan?.scrapeMs ?? 1000) * 4;
  for (const group of await groupsOf(db, plan)) {
    if (tracks.length >= MAX_TRACKS) break;
    const where = `query IN (${group.queries.map(quote).join(', ')}) AND kind = ${quote(group.kind)}
  AND isfinite(value) AND t_us BETWEEN 0 AND ${endMs * 1000}`;
    const query: Query = (from) => `SELECT query, labels, min(t_us) // 1000 AS t, max(value) AS value
FROM ${from} WHERE ${where}
GROUP BY query, labels, t_us // ${width * 1000} ORDER BY query, labels, t`;
    const lines = await linesOf(db, group, query, gapMs);
    if (lines.length === 0) continue;
    const more = group.place === null;
    if (more && lines.every((line) => line.points.every(([, value]) => value === 0))) {
      zero.push(group.title);
      continue;
    }
    const drawn = tracks.flatMap((track) => track.lines);
    if (more && lines.every((line) => drawn.some((other) => samePoints(line, other)))) continue;
    const { id, title, unit } = group;
    tracks.push({ id, title, unit, lines, more, file: FILES.series, query: query(`'${FILES.series}'`) });
  }
  return { tracks, zero };
}
