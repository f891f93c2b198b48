/** Why requests had no answer, as k6 says: told with an objective over them that failed. Nothing is judged by it. */
import { quote } from '../../evidence/duckdb.ts';
import { whyUnanswered } from '../../evidence/error-codes.ts';
import type { Objective } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Evidence } from '../../evidence/verdict.ts';
import type { Context } from './context.ts';
import { standalone } from './views.ts';

interface Group {
  error_code: number | null;
  ended: boolean;
  n: number;
}

/** @returns null: every request of the ratio was answered, or the bundle was written before there were reasons in it */
export async function unansweredOf(
  c: Context,
  { indicator }: Objective,
  phase: string,
): Promise<{ text: string; evidence: Evidence } | null> {
  if (indicator.type !== 'ratio' || indicator.total.table !== 'requests') return null;
  if (!(await c.db.columns('requests')).some(({ name }) => name === 'error_code')) return null;
  const within = phase === 'run' ? '' : `AND phase = ${quote(phase)}`;
  const sql = `SELECT error_code, done_us IS NOT NULL AS ended, count(*) AS n FROM requests
    WHERE (${indicator.total.where}) ${within} AND NOT unsent AND (done_us IS NULL OR status = 0)
    GROUP BY ALL ORDER BY n DESC, error_code, ended`;
  const groups = await c.db.rows<Group>(sql);
  if (groups.length === 0) return null;
  const samples = groups.reduce((sum, { n }) => sum + n, 0);
  const reasons = groups.map(({ error_code, ended, n }) => `${whyUnanswered(error_code, ended)} (${n})`);
  return {
    text: `${samples} had no answer: ${reasons.join(', ')}`,
    evidence: { file: FILES.requests, query: standalone(sql, 'requests'), samples },
  };
}
