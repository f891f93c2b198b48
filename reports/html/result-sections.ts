/** The tables of the report: objectives, core metrics, recovery, ledger, checks with their evidence. */
import { quote } from '../../evidence/duckdb.ts';
import type { CoreMetrics, ObjectiveResult } from '../../evidence/verdict.ts';
import type { ReportBundle } from '../bundle.ts';
import {
  duration,
  exact,
  measuredText,
  number,
  OPERATOR,
  plural,
  quantity,
  SIGN,
  unanswered,
  unitOf,
} from '../format.ts';
import {
  type Anchors,
  badge,
  codeBlock,
  evidenceBlock,
  html,
  linked,
  type Markup,
  section,
  table,
} from './markup.ts';

/** Spent share of an error budget as a bar; full at 100 %, marked when over. */
function budgetBar(o: ObjectiveResult): Markup {
  if (!o.budget) return html`<span class="muted">–</span>`;
  const share = o.budget.spentShare;
  const width = Math.max(0, Math.min(1, share ?? (o.budget.spent > 0 ? 1 : 0))) * 100;
  const over = share === null ? o.budget.spent > 0 : share > 1;
  const label = `${number(o.budget.spent)} of ${number(o.budget.allowed)}${share === null ? '' : ` (${number(Math.round(share * 100))} %)`}`;
  return html`<span class="budget"><svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="budget spent: ${label}"><rect class="room" width="100" height="8"/><rect class="${over ? 'over' : 'spent'}" width="${width.toFixed(1)}" height="8"/></svg> <span>${label}${over ? ' over' : ''}</span></span>`;
}

export function objectives({ verdict: v, plan }: ReportBundle, anchors: Anchors): Markup {
  if (v.objectives.length === 0)
    return section('objectives', 'Objectives', '', html`<p class="muted">No objective was judged.</p>`);
  const informational = new Set(v.checks.filter((c) => c.informational).map((c) => c.id));
  const rows = v.objectives.map((o, i) => [
    html`${o.title}${v.objectives[i - 1]?.name === o.name ? '' : html`<span class="sub">${o.source}</span>`}`,
    o.phase,
    html`${badge(o.verdict, true)}${informational.has(o.checkId) ? html`<span class="sub">for information</span>` : ''}`,
    linked(anchors, o.checkId, measuredText(o, v, plan)),
    `${OPERATOR[o.op] ?? o.op} ${exact(o.target, unitOf(o, plan))}`,
    number(o.samples),
    budgetBar(o),
  ]);
  return section(
    'objectives',
    'Objectives',
    'Each is judged in each of its phases by itself. A number leads to its evidence.',
    table(
      'Objectives by phase',
      [
        { title: 'Objective' },
        { title: 'Phase' },
        { title: 'Verdict' },
        { title: 'Measured', numeric: true },
        { title: 'Bound', numeric: true },
        { title: 'Samples', numeric: true },
        { title: 'Error budget spent' },
      ],
      rows,
    ),
  );
}

/** The query that gives the client's side of one row again. */
export const coreQuery = (c: CoreMetrics, seconds: number | null) => {
  const per =
    seconds === null
      ? ''
      : `,\n  count(sent_us) / ${seconds} AS qps, count(*) FILTER (outcome = 'ok') / ${seconds} AS tps`;
  return `SELECT count(*) AS requests, count(*) FILTER (sent_us IS NULL) AS unsent,
  count(*) FILTER (outcome IN ('failed', 'timeout')) AS failed${per},
  avg(us) / 1e6 AS mean_s, quantile_disc(us, [0.5, 0.95, 0.99, 1.0]) AS p50_p95_p99_max_us
FROM (SELECT *, CASE WHEN sent_us IS NULL THEN NULL WHEN done_us IS NULL OR status = 0 THEN 'infinity'::DOUBLE
  ELSE done_us - intended_us END AS us FROM 'requests.parquet') WHERE stream = ${quote(c.stream)} AND phase = ${quote(c.phase)}`;
};

export function core({ verdict: v }: ReportBundle): Markup {
  if (v.core.length === 0)
    return section('core', 'Core metrics', '', html`<p class="muted">No core metrics were computed.</p>`);
  const blocks = [...Map.groupBy(v.core, (c) => c.stream)].map(([stream, rows]) => {
    const promNames = [...new Set(rows.flatMap((r) => Object.keys(r.prometheus)))];
    const other = promNames.filter((n) => !['qps', 'tps', 'concurrency', 'p50', 'p95', 'p99'].includes(n));
    /** Client's number, and under it the platform's own. */
    const both = (mine: string, theirs: number | null | undefined, unit: string) =>
      html`${mine}<span class="sub">${theirs === undefined || theirs === null ? '–' : quantity(theirs, unit)}</span>`;
    const body = rows.map((c) => {
      const q = c.responseTime;
      const time = (seconds: number | null) =>
        unanswered(c, seconds) ? 'no answer' : quantity(seconds, 's');
      return [
        html`${c.phase}<span class="sub">Prometheus</span>`,
        number(c.requests),
        number(c.failed),
        both(number(c.qps), c.prometheus.qps, ''),
        both(number(c.tps), c.prometheus.tps, ''),
        both(number(c.concurrency), c.prometheus.concurrency, ''),
        both(time(q.p50), c.prometheus.p50, 's'),
        both(time(q.p95), c.prometheus.p95, 's'),
        both(time(q.p99), c.prometheus.p99, 's'),
        time(q.max),
        html`${c.littlesLaw.residual === null ? '–' : `${number(Number((c.littlesLaw.residual * 100).toFixed(3)))} %`}<span class="sub">${number(c.littlesLaw.predicted)} / ${number(c.littlesLaw.measured)}</span>`,
        ...other.map((n) => number(c.prometheus[n])),
      ];
    });
    const numeric = (title: string) => ({ title, numeric: true });
    const columns = [
      { title: 'Phase' },
      numeric('Requests'),
      numeric('Failed'),
      numeric('QPS'),
      numeric('TPS'),
      numeric('Concurrency'),
      numeric('p50'),
      numeric('p95'),
      numeric('p99'),
      numeric('max'),
      numeric('Little’s law residual'),
      ...other.map(numeric),
    ];
    const seconds = (c: CoreMetrics) => {
      const p = v.phases.find((x) => x.name === c.phase);
      return p ? (p.endMs - p.startMs) / 1000 : null;
    };
    return html`<h3>${stream}</h3>${table(`Core metrics of ${stream}`, columns, body)}
<details><summary>Queries for ${stream}</summary>${rows.map((c) => html`<p>${c.phase}</p>${codeBlock(coreQuery(c, seconds(c)))}`)}</details>`;
  });
  return section(
    'core',
    'Core metrics',
    'First line: what the clients saw, response time counted from the intended start. Second line: the platform’s own number from Prometheus. Little’s law: QPS × mean time against the measured concurrency (predicted / measured).',
    blocks,
  );
}

export function recovery({ verdict: v }: ReportBundle, anchors: Anchors): Markup {
  if (v.recovery.length === 0) return html``;
  const rows = v.recovery.map((r) => [
    html`${r.name}<span class="sub">${r.from} of ${r.fault}</span>`,
    badge(r.verdict, true),
    linked(
      anchors,
      r.checkId,
      r.tookMs === null
        ? r.censoredAtMs === null
          ? '–'
          : `longer than ${duration(r.censoredAtMs)}`
        : duration(r.tookMs),
    ),
    linked(anchors, r.checkId, duration(r.fromInjectMs)),
    duration(r.rtoMs),
  ]);
  return section(
    'recovery',
    'Recovery',
    'From the instant that the contract names (revert or injection) to the start of the good windows in a row. “Longer than” means that it had not recovered when the evidence ended.',
    table(
      'Recovery',
      [
        { title: 'What' },
        { title: 'Verdict' },
        { title: 'Took', numeric: true },
        { title: 'From the injection', numeric: true },
        { title: 'Objective', numeric: true },
      ],
      rows,
    ),
  );
}

/** The query that gives the ledger's counts again. */
export const LEDGER_QUERY = `SELECT phase, count(*) FILTER (sent_us IS NOT NULL) AS attempted, count(*) FILTER (accepted) AS accepted,
  count(*) FILTER (accepted AND processed > 0) AS processed, count(*) FILTER (accepted AND processed = 0) AS lost,
  count(*) FILTER (accepted AND result IN ('failed', 'error')) AS failed, count(*) FILTER (processed > 1) AS duplicated, count(*) FILTER (stream IS NULL) AS unexpected,
  count(*) FILTER (stream IS NOT NULL AND NOT accepted AND processed > 0) AS recovered
FROM 'ledger.parquet' GROUP BY phase`;

const LEDGER = [
  'attempted',
  'accepted',
  'processed',
  'lost',
  'failed',
  'duplicated',
  'unexpected',
  'recovered',
] as const;

export function ledger({ verdict: v }: ReportBundle, anchors: Anchors): Markup {
  if (v.ledger.length === 0) return html``;
  const checks = v.checks.filter((c) => c.group === 'ledger');
  const bad = (key: string, value: number) =>
    value > 0 && ['lost', 'failed', 'duplicated', 'unexpected'].includes(key);
  const show = (key: string, value: number) => {
    const check = checks.find((c) => c.id.includes(key));
    const text = bad(key, value) ? html`<strong class="bad">${number(value)}</strong>` : number(value);
    return check ? linked(anchors, check.id, text) : text;
  };
  const rows = v.ledger.map((l) => [l.phase, ...LEDGER.map((key) => show(key, l[key]))]);
  const isWhole = v.ledger.some((l) => l.phase === 'run');
  if (!isWhole)
    rows.push([
      html`<strong>all</strong>`,
      ...LEDGER.map((key) =>
        show(
          key,
          v.ledger.reduce((sum, l) => sum + l[key], 0),
        ),
      ),
    ]);
  return section(
    'ledger',
    'Ledger of events',
    'Every event that was sent, by the phase in which it was sent. Accepted: the platform said 2xx, so it owes the processing. Failed: processed, and its result is an error. Recovered: processed though not accepted.',
    html`${table('Ledger by phase', [{ title: 'Phase' }, ...LEDGER.map((title) => ({ title, numeric: true }))], rows)}<details><summary>Query</summary>${codeBlock(LEDGER_QUERY)}</details>`,
  );
}

export function checks({ verdict: v }: ReportBundle, anchors: Anchors): Markup {
  if (v.checks.length === 0)
    return section('checks', 'Checks and their evidence', '', html`<p class="muted">Nothing was judged.</p>`);
  const order = { error: 0, fail: 1, unknown: 2, pass: 3 };
  const groups = [...Map.groupBy(v.checks, (c) => c.group)].map(([group, list]) => {
    const sorted = [...list].sort((a, b) => order[a.verdict] - order[b.verdict]);
    const failed = list.filter((c) => c.verdict !== 'pass' && !c.informational).length;
    return html`<h3>${group} <span class="muted">${plural(list.length, 'check')}${failed > 0 ? `, ${failed} not passed` : ''}</span></h3>${sorted.map(
      (
        c,
      ) => html`<details class="check v-${c.verdict}" id="${anchors.get(c.id)}"><summary><span class="sign" aria-hidden="true">${SIGN[c.verdict]}</span><span class="sr">${c.verdict}: </span><span class="what"><strong>${c.title}</strong>${c.informational ? html` <span class="muted">(for information)</span>` : ''}<span class="message">${c.message}</span></span></summary>
<p class="muted"><code>${c.id}</code></p>${c.evidence.length > 0 ? c.evidence.map(evidenceBlock) : html`<p class="muted">No evidence is attached to this check.</p>`}</details>
`,
    )}`;
  });
  return section(
    'checks',
    'Checks and their evidence',
    'Everything that was judged, what it was judged from, and the query that gives the number again.',
    groups,
  );
}
