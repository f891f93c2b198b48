/** The four core metrics of each stream in each phase, from the clients' records, and the platform's own numbers beside them. */
import type { CoreMetrics } from '../../evidence/verdict.ts';
import type { Context, Finding } from './context.ts';
import { rounded } from './numbers.ts';
import { NO_ANSWER_US, scan } from './scan.ts';

export async function coreMetrics(c: Context): Promise<Finding> {
  const { plan } = c;
  if (plan.streams.length === 0 || plan.phases.length === 0) return { checks: [] };
  const rows = await scan(c);
  const prometheus = await platformNumbers(c);
  const core = plan.streams.flatMap((s) =>
    plan.phases.map(({ name: phase, startMs, endMs }, k): CoreMetrics => {
      // Also requests of an earlier phase may still have been in flight in this one.
      const crossing = rows.reduce(
        (sum, row) => sum + (row.stream === s.name ? (row.crossing_us[k] ?? 0) : 0),
        0,
      );
      const r = rows.find((row) => row.stream === s.name && row.phase === phase);
      const span = (endMs - startMs) / 1000;
      const sent = (r?.n ?? 0) - (r?.unsent ?? 0);
      const perSecond = (count: number) => (span > 0 ? count / span : null);
      const concurrency = span > 0 ? ((r?.inside_us ?? 0) + crossing) / 1e6 / span : null;
      const qps = perSecond(sent);
      const service = r && sent > 0 && r.service_us !== null ? r.service_us / sent / 1e6 : null;
      const predicted = qps === null ? null : sent === 0 ? 0 : service === null ? null : qps * service;
      const [p50, p95, p99, max] = (r?.quantiles_us ?? []).map((us) =>
        us === NO_ANSWER_US ? null : rounded(us / 1e6),
      );
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
