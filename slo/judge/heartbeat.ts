/** Was Prometheus there all the time? Enough samples in all prove nothing of the minutes in which there was none: those of the fault. */
import { quote } from '../../evidence/duckdb.ts';
import { HEARTBEAT } from '../../evidence/tables.ts';
import type { Context } from './context.ts';
import { seconds } from './numbers.ts';

/** An alert that came and went in such a gap, or a peak of a gauge, would not have been seen: the greater of the two. */
const LONGEST_GAP = { evaluations: 4, ms: 5000 };

/** @param phase of the plan, or `run` @returns why what Prometheus did not show in it proves nothing */
export async function gapProblems(c: Context, phase: string): Promise<string[]> {
  await c.needQuery(HEARTBEAT);
  const { startMs, endMs } = c.window(phase) ?? { startMs: 0, endMs: 0 };
  const [from, to] = [Math.round(startMs * 1000), Math.round(endMs * 1000)];
  const { from_us, gap_us } = await c.db.row<{ from_us: number; gap_us: number }>(
    `WITH beats AS (SELECT t_us FROM series WHERE kind = 'raw' AND query = ${quote(HEARTBEAT)} AND t_us BETWEEN ${from} AND ${to}
       UNION ALL VALUES (${from}), (${to}))
     SELECT t_us::DOUBLE AS from_us, coalesce(lead(t_us) OVER (ORDER BY t_us) - t_us, 0)::DOUBLE AS gap_us FROM beats ORDER BY gap_us DESC, from_us LIMIT 1`,
  );
  const most = Math.max(LONGEST_GAP.evaluations * c.plan.evaluationMs, LONGEST_GAP.ms);
  if (gap_us / 1000 <= most) return [];
  return [
    `Prometheus evaluated no rule for ${seconds(gap_us / 1000)}, from ${seconds(from_us / 1000)} on; at most ${seconds(most)} may be`,
  ];
}
