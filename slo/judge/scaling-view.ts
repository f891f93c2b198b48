/**
 * The view `scaling`: how long functions took to scale to zero and up again, from what the harness saw of their pods
 * (`observed` series `pods` and `pods_ready`, labels {"function": ...}) and from the clients' requests.
 *
 *   function  name of the function
 *   kind      `to_zero`: from the end of its last request to no pods; `up`: from the first request after that to a pod that is ready
 *   seconds   duration; of a censored row what was seen of it, so the true one is longer
 *   censored  the end was not seen: a new request came, or the evidence ended
 *   t_us      when it ended
 *   phase     the phase that has the largest part of it
 *
 * Which function a request calls: `<prefix>-<k mod functions>` by the stream's params (scenarios/k6/main.ts), where k counts the
 * requests that were really started before it, and is in its id; column n also counts those that were not. A function that no stream
 * names is held against all requests of the run.
 */
import { quote } from '../../evidence/duckdb.ts';
import type { Stream } from '../../evidence/plan.ts';
import type { Context } from './context.ts';

/** Breaks between requests that are shorter say nothing of scaling to zero, seconds. */
const MIN_IDLE_S = 1;

interface PodsSample {
  t: number;
  pods: number;
}

interface Busy {
  from: number;
  to: number;
}

interface ScalingRow {
  function: string;
  kind: 'to_zero' | 'up';
  fromUs: number;
  toUs: number;
  censored: boolean;
}

export async function createScaling(c: Context, hasLedger: boolean): Promise<void> {
  const pods = await c.db.rows<{ query: string; fn: string | null; t_us: number; value: number }>(
    `SELECT query, labels->>'$.function' AS fn, t_us, value FROM series WHERE kind = 'observed' AND query IN ('pods', 'pods_ready') ORDER BY fn, t_us`,
  );
  const endUs = Math.max(Math.round((c.window('run')?.endMs ?? 0) * 1000), ...pods.map((p) => p.t_us));
  const rows: ScalingRow[] = [];
  for (const name of [...new Set(pods.map((p) => p.fn))]) {
    if (name === null) continue;
    const of = (query: string): PodsSample[] =>
      pods.filter((p) => p.fn === name && p.query === query).map((p) => ({ t: p.t_us, pods: p.value }));
    rows.push(
      ...transitions(name, of('pods'), of('pods_ready'), await busyPeriods(c, name, hasLedger), endUs),
    );
  }
  await c.db.run(
    'CREATE OR REPLACE TABLE scaling (function VARCHAR, kind VARCHAR, seconds DOUBLE, censored BOOLEAN, t_us BIGINT, phase VARCHAR)',
  );
  for (const r of rows) {
    const phase = mainPhase(c, r.fromUs / 1000, r.toUs / 1000);
    await c.db.run(
      `INSERT INTO scaling VALUES (${quote(r.function)}, ${quote(r.kind)}, ${(r.toUs - r.fromUs) / 1e6}, ${r.censored}, ${r.toUs}, ${phase === null ? 'NULL' : quote(phase)})`,
    );
  }
}

/** Periods in which the function had work, joined over breaks below {@link MIN_IDLE_S}. */
async function busyPeriods(c: Context, name: string, hasLedger: boolean): Promise<Busy[]> {
  const invoking = c.plan.streams.filter((s) => s.script === 'invocations' || s.script === 'events');
  const own = invoking.flatMap((s) => callsOf(s, name));
  const where =
    own.length > 0
      ? own.join(' OR ')
      : invoking.length > 0
        ? invoking.map((s) => `stream = ${quote(s.name)}`).join(' OR ')
        : 'true';
  const source = hasLedger
    ? `(SELECT r.stream, r.event_id, r.sent_us, greatest(coalesce(r.done_us, r.sent_us), coalesce(l.first_processed_us, r.sent_us)) AS end_us
        FROM requests r LEFT JOIN ledger l ON l.event_id = r.event_id)`
    : '(SELECT stream, event_id, sent_us, coalesce(done_us, sent_us) AS end_us FROM requests)';
  const rows = await c.db.rows<{ from: number; to: number }>(`
    WITH own AS (SELECT sent_us, end_us FROM ${source} WHERE sent_us IS NOT NULL AND (${where})),
    ends AS (SELECT *, max(end_us) OVER (ORDER BY sent_us, end_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_us FROM own),
    numbered AS (SELECT *, count(*) FILTER (before_us IS NULL OR sent_us - before_us >= ${MIN_IDLE_S * 1e6})
      OVER (ORDER BY sent_us, end_us ROWS UNBOUNDED PRECEDING) AS period FROM ends)
    SELECT min(sent_us) AS "from", max(end_us) AS "to" FROM numbered GROUP BY period ORDER BY period`);
  return rows;
}

function callsOf(stream: Stream, name: string): string[] {
  const prefix = String(stream.params.prefix ?? 'fn');
  const functions = Number(stream.params.functions ?? 1);
  const index = Number(name.slice(prefix.length + 1));
  if (!name.startsWith(`${prefix}-`) || !Number.isInteger(index) || index < 0 || index >= functions)
    return [];
  // The id ends in `<segment>.<n>`, n counted within the segment (base/event-id.ts).
  const part = (which: number) => `TRY_CAST(split_part(event_id, '.', ${which}) AS BIGINT)`;
  let offset = 0;
  const offsets = stream.segments.map(({ count }, segment) => {
    const begins = `WHEN ${segment} THEN ${offset}`;
    offset += count;
    return begins;
  });
  const k = `(${part(-1)} + CASE ${part(-2)} ${offsets.join(' ')} END)`;
  return [`(stream = ${quote(stream.name)} AND ${k} % ${functions} = ${index})`];
}

function transitions(
  name: string,
  samples: PodsSample[],
  ready: PodsSample[],
  busy: Busy[],
  endUs: number,
): ScalingRow[] {
  const rows: ScalingRow[] = [];
  const podsAt = (t: number) => samples.findLast((s) => s.t <= t)?.pods ?? null;
  const row = (kind: ScalingRow['kind'], fromUs: number, toUs: number, censored: boolean) =>
    rows.push({ function: name, kind, fromUs, toUs, censored });
  busy.forEach((period, i) => {
    if (podsAt(period.from) === 0) {
      // Its first request met no pods: how long until one was there?
      const up = ready.find((s) => s.t > period.from && s.pods >= 1)?.t;
      row('up', period.from, up ?? endUs, up === undefined);
    }
    const next = busy[i + 1]?.from ?? endUs;
    if (podsAt(period.to) === 0) return;
    const zero = samples.find((s) => s.t > period.to && s.pods === 0)?.t;
    if (zero !== undefined && zero <= next) row('to_zero', period.to, zero, false);
    else if (next > period.to) row('to_zero', period.to, next, true);
  });
  return rows;
}

function mainPhase(c: Context, fromMs: number, toMs: number): string | null {
  const overlap = (p: { startMs: number; endMs: number }) =>
    Math.min(toMs, p.endMs) - Math.max(fromMs, p.startMs);
  const best = c.plan.phases.reduce<{ name: string; ms: number } | null>(
    (b, p) => (b === null || overlap(p) > b.ms ? { name: p.name, ms: overlap(p) } : b),
    null,
  );
  return best && best.ms >= 0 ? best.name : null;
}
