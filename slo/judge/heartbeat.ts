/** Was somebody there to look, all the time? Enough samples in all prove nothing of the minutes in which there was none: those of the fault. */
import { quote } from '../../evidence/duckdb.ts';
import { HEARTBEAT, rangeStepMs } from '../../evidence/tables.ts';
import type { Context } from './context.ts';
import { seconds } from './numbers.ts';

/** An alert that came and went in such a gap, or a peak of a gauge, would not have been seen: the greater of the two. */
const LONGEST_GAP = { evaluations: 4, ms: 5000 };

/**
 * @param phase of the plan, or `run` @param untilMs when what must have been seen reaches beyond its end
 * @returns why what Prometheus did not show in it proves nothing
 */
export async function gapProblems(c: Context, phase: string, untilMs = 0): Promise<string[]> {
  await c.needQuery(HEARTBEAT);
  const { fromMs, gapMs } = await longestGap(c, phase, 'raw', HEARTBEAT, untilMs);
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

/**
 * Of a run it is the worst phase that counts, and one without a value may have been that: a platform that is dead counts nothing. Only where
 * no stream was to send anything there was nothing to count.
 * @param query of a series of kind `phase` @returns why its values prove nothing of the whole run
 */
export async function phaseGapProblems(c: Context, query: string): Promise<string[]> {
  const rows = await c.db.rows<{ phase: string | null }>(
    `SELECT DISTINCT phase FROM series WHERE kind = 'phase' AND query = ${quote(query)} AND NOT isnan(value)`,
  );
  const seen = new Set(rows.map(({ phase }) => phase));
  if (seen.has('run')) return [];
  const asked = new Set(
    c.plan.streams.flatMap((s) => s.segments.filter((x) => x.count > 0).map((x) => x.phase)),
  );
  const without = c.plan.phases.filter(({ name }) => asked.has(name) && !seen.has(name));
  if (without.length === 0) return [];
  const names = without.map(({ name }) => name).join(', ');
  return [
    `${query} has no value in ${names}: of the run its worst phase counts, which may have been there; where nothing is to be counted, name the other phases in place of run`,
  ];
}

async function longestGap(
  c: Context,
  phase: string,
  kind: 'raw' | 'range',
  query: string,
  untilMs = 0,
): Promise<{ fromMs: number; gapMs: number }> {
  const { startMs, endMs } = c.window(phase) ?? { startMs: 0, endMs: 0 };
  const [from, to] = [Math.round(startMs * 1000), Math.round(Math.max(endMs, untilMs) * 1000)];
  const { from_us, gap_us } = await c.db.row<{ from_us: number; gap_us: number }>(
    `WITH beats AS (SELECT t_us FROM series WHERE kind = ${quote(kind)} AND query = ${quote(query)} AND NOT isnan(value) AND t_us BETWEEN ${from} AND ${to}
       UNION ALL VALUES (${from}), (${to}))
     SELECT t_us::DOUBLE AS from_us, coalesce(lead(t_us) OVER (ORDER BY t_us) - t_us, 0)::DOUBLE AS gap_us FROM beats ORDER BY gap_us DESC, from_us LIMIT 1`,
  );
  return { fromMs: from_us / 1000, gapMs: gap_us / 1000 };
}

/** The instants up to that one at which Prometheus evaluated rules, ms, in their order. */
export async function beatsMs(c: Context, untilMs: number): Promise<number[]> {
  await c.needQuery(HEARTBEAT);
  const rows = await c.db.rows<{ t_us: number }>(
    `SELECT t_us FROM series WHERE kind = 'raw' AND query = ${quote(HEARTBEAT)} AND NOT isnan(value) AND t_us <= ${Math.round(untilMs * 1000)} ORDER BY t_us`,
  );
  return rows.map(({ t_us }) => t_us / 1000);
}
