/**
 * The four core metrics of each stream in each phase, from the clients' records. Sums are of integers (microseconds), quantiles are
 * nearest rank: both are exact and do not depend on the order of rows or on the number of threads.
 */
import { quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import type { CoreMetrics } from '../../evidence/verdict.ts';
import type { Context, Finding } from './context.ts';
import { rounded } from './numbers.ts';

interface CoreRow {
  stream: string;
  phase: string;
  n: number;
  unsent: number;
  ok: number;
  unanswered: number;
  latency_us: number | null;
  /** Time in the system; a request without an answer is in flight until its timeout. */
  service_us: number | null;
  q: number[] | null;
}

/** Requests without an answer sort after every answer. */
const NO_ANSWER_US = Number.MAX_SAFE_INTEGER;

export async function coreMetrics(c: Context): Promise<Finding> {
  const { plan, db } = c;
  if (plan.streams.length === 0 || plan.phases.length === 0) return { checks: [] };
  await c.need('requests');
  const rows =
    await db.rows<CoreRow>(`SELECT stream, phase, count(*) AS n, count(*) FILTER (unsent) AS unsent, count(*) FILTER (ok) AS ok,
    count(*) FILTER (NOT unsent AND done_us IS NULL) AS unanswered,
    sum(done_us - intended_us) AS latency_us, sum(${endSql(plan)} - sent_us) AS service_us,
    quantile_disc(CASE WHEN unsent THEN NULL ELSE coalesce(done_us - intended_us, ${NO_ANSWER_US}) END, [0.5, 0.95, 0.99, 1.0]) AS q
    FROM requests GROUP BY stream, phase ORDER BY stream, phase`);
  const inFlight = await inFlightUs(c);
  const prometheus = await platformNumbers(c);
  const core = plan.streams.flatMap((s) =>
    plan.phases.map(({ name: phase, startMs, endMs }, k): CoreMetrics => {
      const r = rows.find((row) => row.stream === s.name && row.phase === phase);
      const span = (endMs - startMs) / 1000;
      const sent = (r?.n ?? 0) - (r?.unsent ?? 0);
      const perSecond = (count: number) => (span > 0 ? count / span : null);
      const concurrency = span > 0 ? (inFlight.get(s.name)?.[k] ?? 0) / 1e6 / span : null;
      const qps = perSecond(sent);
      const service = r && sent > 0 && r.service_us !== null ? r.service_us / sent / 1e6 : null;
      const predicted = qps === null ? null : sent === 0 ? 0 : service === null ? null : qps * service;
      const [p50, p95, p99, max] = (r?.q ?? []).map((us) => (us === NO_ANSWER_US ? null : rounded(us / 1e6)));
      return {
        stream: s.name,
        phase,
        requests: r?.n ?? 0,
        unsent: r?.unsent ?? 0,
        failed: sent - (r?.ok ?? 0),
        qps: rounded(qps),
        tps: rounded(perSecond(r?.ok ?? 0)),
        concurrency: rounded(concurrency),
        responseTime: {
          mean:
            r && sent > 0 && r.unanswered === 0 && r.latency_us !== null
              ? rounded(r.latency_us / sent / 1e6)
              : null,
          p50: p50 ?? null,
          p95: p95 ?? null,
          p99: p99 ?? null,
          max: max ?? null,
        },
        littlesLaw: {
          predicted: rounded(predicted),
          measured: rounded(concurrency),
          residual: rounded(residual(predicted, concurrency)),
        },
        prometheus: prometheus(s.name, phase),
      };
    }),
  );
  return { checks: [], core };
}

function residual(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return null;
  const larger = Math.max(a, b);
  return larger === 0 ? 0 : Math.abs(a - b) / larger;
}

/** When a sent request left the system: its answer, or else its stream's timeout. */
function endSql(plan: Plan): string {
  const timeouts = plan.streams
    .map((s) => `WHEN ${quote(s.name)} THEN ${Math.round(s.timeoutMs * 1000)}`)
    .join(' ');
  return `coalesce(done_us, sent_us + CASE stream ${timeouts} END)`;
}

/** Microseconds that requests of a stream spent in flight within each phase: the overlap of [sent, done] with the phase, summed. */
async function inFlightUs(c: Context): Promise<Map<string, number[]>> {
  const end = endSql(c.plan);
  const columns = c.plan.phases.map(({ startMs, endMs }, k) => {
    const [from, to] = [Math.round(startMs * 1000), Math.round(endMs * 1000)];
    return `coalesce(sum(greatest(0, least(${end}, ${to}) - greatest(sent_us, ${from}))), 0) AS p${k}`;
  });
  const rows = await c.db.rows<Record<string, number | string>>(
    `SELECT stream, ${columns.join(', ')} FROM requests WHERE sent_us IS NOT NULL GROUP BY stream`,
  );
  return new Map(rows.map((r) => [String(r.stream), c.plan.phases.map((_, k) => Number(r[`p${k}`]))]));
}

/** The platform's own numbers; a query with several series, or none, has no single value. */
async function platformNumbers(
  c: Context,
): Promise<(stream: string, phase: string) => Record<string, number | null>> {
  const rows = await c
    .need('series')
    .then(() =>
      c.db.rows<{ query: string; phase: string; value: number; n: number }>(
        `SELECT query, phase, any_value(value) AS value, count(*) AS n FROM series WHERE kind = 'phase' AND query LIKE 'core.%' GROUP BY query, phase`,
      ),
    )
    // Shown only: without it the numbers are null, and what judges the series says why.
    .catch(() => []);
  return (stream, phase) => {
    const metrics = Object.keys(c.plan.core[stream] ?? {}).sort();
    return Object.fromEntries(
      metrics.map((metric) => {
        const row = rows.find((r) => r.query === `core.${stream}.${metric}` && r.phase === phase);
        return [metric, row?.n === 1 ? rounded(row.value) : null];
      }),
    );
  };
}
