/** Was somebody there to look, all the time? Enough samples in all prove nothing of the minutes in which there was none: those of the fault. */
import { quote } from '../../evidence/duckdb.ts';
import { HEARTBEAT, rangeStepMs } from '../../evidence/tables.ts';
import type { Context } from './context.ts';
import { seconds } from './numbers.ts';

/** An alert that came and went in such a gap, or a peak of a gauge, would not have been seen: the greater of the two. */
const LONGEST_GAP = { evaluations: 4, ms: 5000 };

/** @param phase of the plan, or `run` @returns why what Prometheus did not show in it proves nothing */
export async function gapProblems(c: Context, phase: string): Promise<string[]> {
  await c.needQuery(HEARTBEAT);
  const { fromMs, gapMs } = await longestGap(c, phase, 'raw', HEARTBEAT);
  const most = Math.max(LONGEST_GAP.evaluations * c.plan.evaluationMs, LONGEST_GAP.ms);
  if (gapMs <= most) return [];
  return [
    `Prometheus evaluated no rule for ${seconds(gapMs)}, from ${seconds(fromMs)} on; at most ${seconds(most)} may be`,
  ];
}

/**
 * What exposes a gauge may be away while Prometheus is there.
 * @param query of a series of kind `range` @returns why its samples in this phase prove nothing
 */
export async function gaugeGapProblems(c: Context, phase: string, query: string): Promise<string[]> {
  const { fromMs, gapMs } = await longestGap(c, phase, 'range', query);
  const run = c.window('run');
  const step = rangeStepMs(c.plan.scrapeMs, run === undefined ? 0 : run.endMs - run.startMs);
  // The first of a phase, and the last, are up to a step from its edge.
  const most = Math.max(LONGEST_GAP.evaluations * c.plan.evaluationMs, LONGEST_GAP.ms, 2 * step);
  if (gapMs <= most) return [];
  return [
    `${query} had no sample for ${seconds(gapMs)}, from ${seconds(fromMs)} on; at most ${seconds(most)} may be: who exposes it was not seen`,
  ];
}

async function longestGap(
  c: Context,
  phase: string,
  kind: 'raw' | 'range',
  query: string,
): Promise<{ fromMs: number; gapMs: number }> {
  const { startMs, endMs } = c.window(phase) ?? { startMs: 0, endMs: 0 };
  const [from, to] = [Math.round(startMs * 1000), Math.round(endMs * 1000)];
  const { from_us, gap_us } = await c.db.row<{ from_us: number; gap_us: number }>(
    `WITH beats AS (SELECT t_us FROM series WHERE kind = ${quote(kind)} AND query = ${quote(query)} AND NOT isnan(value) AND t_us BETWEEN ${from} AND ${to}
       UNION ALL VALUES (${from}), (${to}))
     SELECT t_us::DOUBLE AS from_us, coalesce(lead(t_us) OVER (ORDER BY t_us) - t_us, 0)::DOUBLE AS gap_us FROM beats ORDER BY gap_us DESC, from_us LIMIT 1`,
  );
  return { fromMs: from_us / 1000, gapMs: gap_us / 1000 };
}
