/**
 * The view `scaling`: how long functions took to scale to zero and up again, from what the harness saw of their pods
 * (`observed` series `pods` and `pods_ready`, labels {"function": ...}) and from the clients' requests.
 *
 *   function  name of the function
 *   kind      `to_zero`: from the end of its last request to no pods, for good: until it is asked for again, none may come back; where
 *             there was none when that request ended (who asked had given up), from when one came;
 *             `up`: from the first request after that to a pod that is ready
 *   seconds   duration; of a censored row what was seen of it, so the true one is longer
 *   censored  the end was not seen: a new request came, or the harness changed the function, or the evidence ended
 *   unseen    nobody could see the pods for a part of its time (`observed` series `pods_unseen`: 1 from when on nobody could, 0 from when
 *             on somebody did): it may have been another
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
/** Pods that come so shortly before a request came for it, seconds: pods and requests are told by clocks that differ by 50 ms at most. */
const CLOCKS_S = 0.25;

interface PodsSample {
  t: number;
  pods: number;
}

/** µs. */
interface Span {
  from: number;
  to: number;
}

/** What was seen of one function; all instants µs. */
interface Seen {
  pods: PodsSample[];
  ready: PodsSample[];
  busy: Span[];
  /** When the harness changed it: what comes next may be a revision's first pod. */
  changed: number[];
  /** When nobody saw it. */
  unseen: Span[];
  endUs: number;
}

interface ScalingRow {
  function: string;
  kind: 'to_zero' | 'up';
  fromUs: number;
  toUs: number;
  censored: boolean;
  unseen: boolean;
}

export async function createScaling(c: Context, hasLedger: boolean): Promise<void> {
  const pods = await c.db.rows<{ query: string; fn: string | null; t_us: number; value: number }>(
    `SELECT query, labels->>'$.function' AS fn, t_us, value FROM series WHERE kind = 'observed' AND query IN ('pods', 'pods_ready') ORDER BY fn, t_us`,
  );
  const endUs = Math.max(Math.round((c.window('run')?.endMs ?? 0) * 1000), ...pods.map((p) => p.t_us));
  const unseen = await unseenSpans(c, endUs);
  const rows: ScalingRow[] = [];
  for (const name of [...new Set(pods.map((p) => p.fn))]) {
    if (name === null) continue;
    const of = (query: string): PodsSample[] =>
      pods.filter((p) => p.fn === name && p.query === query).map((p) => ({ t: p.t_us, pods: p.value }));
    const busy = await busyPeriods(c, name, hasLedger);
    const changed = await changesOf(c, name);
    const seen = { pods: of('pods'), ready: of('pods_ready'), busy, changed, unseen, endUs };
    rows.push(...transitions(name, seen));
  }
  await c.db.run(
    'CREATE OR REPLACE TABLE scaling (function VARCHAR, kind VARCHAR, seconds DOUBLE, censored BOOLEAN, unseen BOOLEAN, t_us BIGINT, phase VARCHAR)',
  );
  for (const r of rows) {
    const phase = mainPhase(c, r.fromUs / 1000, r.toUs / 1000);
    await c.db.run(
      `INSERT INTO scaling VALUES (${quote(r.function)}, ${quote(r.kind)}, ${(r.toUs - r.fromUs) / 1e6}, ${r.censored}, ${r.unseen}, ${r.toUs}, ${phase === null ? 'NULL' : quote(phase)})`,
    );
  }
}

async function unseenSpans(c: Context, endUs: number): Promise<Span[]> {
  const steps = await c.db.rows<{ t_us: number; value: number }>(
    `SELECT t_us, value FROM series WHERE kind = 'observed' AND query = 'pods_unseen' ORDER BY t_us, value`,
  );
  return steps.flatMap(({ t_us, value }, i) =>
    value > 0 ? [{ from: t_us, to: steps[i + 1]?.t_us ?? endUs }] : [],
  );
}

/** When the harness changed the function, µs: a new revision begins with a pod, whether it is asked for or not. */
async function changesOf(c: Context, name: string): Promise<number[]> {
  const own = c.plan.streams.filter((s) => s.script === 'updates').flatMap((s) => callsOf(s, name));
  if (own.length === 0) return [];
  const rows = await c.db.rows<{ t: number }>(
    `SELECT sent_us AS t FROM requests WHERE sent_us IS NOT NULL AND (${own.join(' OR ')}) ORDER BY sent_us`,
  );
  return rows.map(({ t }) => t);
}

/** Periods in which the function had work, joined over breaks below {@link MIN_IDLE_S}. */
async function busyPeriods(c: Context, name: string, hasLedger: boolean): Promise<Span[]> {
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

function transitions(name: string, { pods, ready, busy, changed, unseen, endUs }: Seen): ScalingRow[] {
  const rows: ScalingRow[] = [];
  const hidden = (from: number, to = from) => unseen.find((s) => s.from < to && s.to > from);
  const row = (kind: ScalingRow['kind'], { from, to }: Span, censored: boolean, during: Span) => {
    const isUnseen = hidden(during.from, during.to) !== undefined;
    rows.push({ function: name, kind, fromUs: from, toUs: to, censored, unseen: isUnseen });
  };
  busy.forEach((period, i) => {
    const begin = hidden(period.from);
    if (begin !== undefined || podsAt(pods, period.from) === 0) {
      // Its first request met no pods, or may have: how long until one was there?
      const up = ready.find((s) => s.t > period.from && s.pods >= 1)?.t;
      const span = { from: period.from, to: begin?.to ?? up ?? endUs };
      row('up', span, up === undefined, span);
    }
    const next = busy[i + 1]?.from ?? endUs;
    const idle = { from: period.to, to: Math.min(next, changed.find((t) => t > period.to) ?? next) };
    if (idle.to <= idle.from) return;
    const going = goingToZero(pods, idle);
    if (going !== undefined) row('to_zero', going.span, going.censored, idle);
    else if (hidden(idle.from) !== undefined) row('to_zero', idle, true, idle);
  });
  return rows;
}

/** @returns null: before it was seen for the first time */
const podsAt = (samples: PodsSample[], t: number) => samples.findLast((s) => s.t <= t)?.pods ?? null;

/** @param idle in which nobody asked for it @returns undefined: it had no pod that could go */
function goingToZero(samples: PodsSample[], idle: Span): { span: Span; censored: boolean } | undefined {
  const last = idle.to - CLOCKS_S * 1e6;
  const within = samples.filter(({ t }) => t > idle.from && t <= idle.to);
  const came = (podsAt(samples, idle.from) ?? 0) > 0 ? idle.from : within.find((s) => s.pods > 0)?.t;
  if (came === undefined || (came > idle.from && came > last)) return undefined;
  let zero: number | undefined;
  for (const { t, pods } of within) {
    if (pods > 0) zero = t <= last ? undefined : zero;
    else if (t > came) zero ??= t;
  }
  return { span: { from: came, to: zero ?? idle.to }, censored: zero === undefined };
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
