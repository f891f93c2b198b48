/** Measures one objective's indicator in each of its phases. */
import { quote } from '../../evidence/duckdb.ts';
import type { Indicator, Objective } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Evidence } from '../../evidence/verdict.ts';
import type { Context, View } from './context.ts';
import { nearestRank } from './numbers.ts';
import { standalone } from './views.ts';

export interface Reading {
  /** The indicator, what is not known read in the worst way; null: nothing to measure. Infinite: a request had no answer. */
  measured: number | null;
  /** The indicator without the requests that were not sent, or with unseen rows of scaling read in the best way; null when all is known. */
  without: number | null;
  /** So many are not known. */
  unsent: number;
  /** What these are. */
  unsentAre: string;
  /** Rows or samples that count, without those that are not known. */
  samples: number;
  /** What the samples are. */
  counted: string;
  unit: string;
  budget: { allowed: number; spent: number } | null;
  evidence: Evidence;
}

type Of<T extends Indicator['type']> = Extract<Indicator, { type: T }>;

const QUANTILE: Record<string, number> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };
const FILE_OF: Record<string, string> = {
  requests: FILES.requests,
  ledger: FILES.ledger,
  scaling: `${FILES.series}, ${FILES.requests}`,
};

export async function measure(c: Context, o: Objective): Promise<Map<string, Reading>> {
  const { indicator } = o;
  if (indicator.type === 'series') return series(c, o, indicator);
  const table: View = indicator.type === 'ratio' ? indicator.total.table : indicator.rows.table;
  await c.need(table);
  return indicator.type === 'ratio' ? ratio(c, o, indicator) : quantile(c, o, indicator);
}

/** Condition of the rows of which it is not known what they would have been, and what these are. */
const UNKNOWN: Record<string, { when: string; are: string }> = {
  requests: { when: 'unsent', are: 'requests that were not sent' },
  ledger: { when: 'false', are: '' },
  scaling: { when: 'unseen', are: 'rows of scaling in whose time nobody saw the pods' },
};

/** Lower is better: what is not known counts as high. */
const wantsLow = (o: Objective) => o.op === 'lt' || o.op === 'lte';

/** Rows that count. A condition that is NULL for a request that was not sent can not say that it would not have counted. */
function rowsSql(table: string, where: string): string {
  return table === 'requests'
    ? `FROM requests WHERE coalesce((${where}), unsent)`
    : `FROM ${table} WHERE (${where})`;
}

async function ratio(c: Context, o: Objective, { good, total }: Of<'ratio'>): Promise<Map<string, Reading>> {
  const { table } = total;
  // A censored duration says something only when what was seen of it is already too long.
  const unended =
    table === 'scaling'
      ? `AND (unseen OR NOT (censored AND ${wantsLow(o) ? 'NOT ' : ''}coalesce((${good}), false)))`
      : '';
  const { when: unsent, are } = UNKNOWN[table] as { when: string; are: string };
  const sql = `SELECT phase, count(*) FILTER (NOT ${unsent}) AS n, count(*) FILTER (${unsent}) AS unsent,
    count(*) FILTER (coalesce((${good}), false) AND NOT ${unsent}) AS good ${rowsSql(table, total.where)} ${unended} GROUP BY phase ORDER BY phase`;
  const rows = await c.db.rows<{ phase: string | null; n: number; unsent: number; good: number }>(sql);
  const readings = new Map<string, Reading>();
  for (const phase of o.phases) {
    const own = rows.filter((r) => phase === 'run' || r.phase === phase);
    const sum = (key: 'n' | 'unsent' | 'good') => own.reduce((s, r) => s + r[key], 0);
    const [n, missed, goods] = [sum('n'), sum('unsent'), sum('good')];
    const all = n + missed;
    const counted = goods + (wantsLow(o) ? missed : 0);
    // What was not sent does not count; what was not seen does, in one way or the other.
    const best = table === 'scaling' ? (goods + (wantsLow(o) ? 0 : missed)) / all : goods / n;
    readings.set(phase, {
      measured: all === 0 ? null : counted / all,
      without: missed === 0 || n === 0 ? null : best,
      unsent: missed,
      unsentAre: are,
      samples: n,
      counted: `rows of ${table}`,
      unit: '',
      budget: wantsLow(o)
        ? { allowed: all * o.target, spent: counted }
        : { allowed: all * (1 - o.target), spent: all - counted },
      evidence: { file: FILE_OF[table] as string, query: standalone(sql, table) },
    });
  }
  return readings;
}

const HIGHEST = "'infinity'::DOUBLE";
const LOWEST = "'-infinity'::DOUBLE";

interface QuantileRow {
  phase: string | null;
  n: number;
  unsent: number;
  measured: number | null;
}

async function quantile(c: Context, o: Objective, indicator: Of<'quantile'>): Promise<Map<string, Reading>> {
  const { rows, statistic, value, unit } = indicator;
  const { table } = rows;
  const [worst, best] = wantsLow(o) ? [HIGHEST, LOWEST] : [LOWEST, HIGHEST];
  // Rows that must not vanish count as worse than any value; others without a value owe none.
  const owed = { requests: 'true', ledger: 'accepted', scaling: 'false' }[table];
  const { when: unsent, are } = UNKNOWN[table] as { when: string; are: string };
  const v = (unknown: string) =>
    `CASE WHEN ${unsent} THEN ${unknown} ELSE coalesce((${value})::DOUBLE, CASE WHEN ${owed} THEN ${worst} END) END`;
  const sign = { lt: '>=', lte: '>', gt: '<=', gte: '<' }[o.op];
  const unended =
    table !== 'scaling'
      ? ''
      : wantsLow(o)
        ? `AND (unseen OR NOT censored OR (${value}) ${sign} ${o.target})`
        : 'AND (unseen OR NOT censored)';
  const query = (
    only: string,
    where = '',
    unknown = worst,
  ) => `SELECT ${only} AS phase, count(v) FILTER (NOT u) AS n, count(*) FILTER (u) AS unsent, ${statisticSql(statistic)} AS measured
    FROM (SELECT phase, ${unsent} AS u, ${v(unknown)} AS v ${rowsSql(table, rows.where)} ${unended}) ${where} GROUP BY 1 ORDER BY 1`;
  const read = async (where?: string, unknown?: string) => {
    const found: QuantileRow[] = [];
    if (o.phases.some((p) => p !== 'run'))
      found.push(...(await c.db.rows<QuantileRow>(query('phase', where, unknown))));
    if (o.phases.includes('run'))
      found.push(...(await c.db.rows<QuantileRow>(query("'run'", where, unknown))));
    return found;
  };
  const all = await read();
  // What was not sent does not count; what was not seen does, in one way or the other.
  const lenient = table === 'scaling' ? () => read('', best) : () => read('WHERE NOT u');
  const sent = all.some((r) => r.unsent > 0) ? await lenient() : [];
  const readings = new Map<string, Reading>();
  for (const phase of o.phases) {
    const row = all.find((r) => r.phase === phase);
    readings.set(phase, {
      measured: row?.measured ?? null,
      without: row && row.unsent > 0 ? (sent.find((r) => r.phase === phase)?.measured ?? null) : null,
      unsent: row?.unsent ?? 0,
      unsentAre: are,
      samples: row?.n ?? 0,
      counted: `rows of ${table}`,
      unit,
      budget: null,
      evidence: {
        file: FILE_OF[table] as string,
        query: standalone(query(phase === 'run' ? "'run'" : 'phase'), table),
      },
    });
  }
  return readings;
}

/** Quantiles by nearest rank; the mean from integers (billionths), so that no order of summation is in it. */
function statisticSql(statistic: string): string {
  const q = QUANTILE[statistic];
  if (q !== undefined) return `quantile_disc(v, ${q})`;
  if (statistic === 'mean')
    return `CASE WHEN count(*) FILTER (NOT isfinite(v)) > 0 THEN max(v) FILTER (NOT isfinite(v)) ELSE (sum(round(v * 1e9)::HUGEINT) FILTER (isfinite(v)))::DOUBLE / count(v) / 1e9 END`;
  return `${statistic}(v)`;
}

async function series(
  c: Context,
  o: Objective,
  { statistic, query, kind, unit }: Of<'series'>,
): Promise<Map<string, Reading>> {
  await c.needQuery(query);
  const sql = `SELECT phase, t_us, value FROM series WHERE query = ${quote(query)} AND kind = ${quote(kind)} AND NOT isnan(value) ORDER BY t_us, labels, phase`;
  const rows = await c.db.rows<{ phase: string | null; t_us: number; value: number }>(sql);
  const readings = new Map<string, Reading>();
  for (const phase of o.phases) {
    const window = c.window(phase);
    const inWindow = (us: number) =>
      window !== undefined && us >= window.startMs * 1000 && us <= window.endMs * 1000;
    const own = rows.filter((r) => (kind === 'phase' ? r.phase === phase : inWindow(r.t_us)));
    // A value of the whole run, or else the values of its phases.
    const used = kind === 'phase' && phase === 'run' && own.length === 0 ? rows : own;
    const values = used.map((r) => r.value);
    readings.set(phase, {
      measured: statisticOf(statistic, values),
      without: null,
      unsent: 0,
      unsentAre: '',
      samples: values.length,
      counted: `samples of ${query}`,
      unit,
      budget: null,
      evidence: { file: FILES.series, query: standalone(sql, 'series') },
    });
  }
  return readings;
}

function statisticOf(statistic: string, values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  if (statistic === 'last') return values.at(-1) ?? null;
  if (statistic === 'min') return sorted[0] ?? null;
  if (statistic === 'max') return sorted.at(-1) ?? null;
  if (statistic === 'p95') return nearestRank(sorted, 0.95);
  return sorted.reduce((sum, v) => sum + v, 0) / sorted.length;
}
