/** What can be wrong with a dashboard although Grafana takes it: layout, texts, queries for what nobody exposes, made-up thresholds. */
import { parser } from '@prometheus-io/lezer-promql';
import type { ObjectiveTemplate } from '../slo/openslo.ts';
import { promqlProblems } from '../slo/rules/promql.ts';
import type { Rule } from '../slo/rules.ts';
import { type Exposed, SOME_FUNCTION } from './exposed.ts';
import type { GrafanaDashboard } from './schema.ts';

export interface Facts {
  exposed: Exposed;
  objectives: readonly ObjectiveTemplate[];
  rules: readonly Rule[];
}

type AnyPanel = GrafanaDashboard['panels'][number];
type Panel = Exclude<AnyPanel, { type: 'row' }>;

const COLUMNS = 24;
/** An unknown unit is no error in Grafana: it is shown as text behind the number. Source: @grafana/data, valueFormats/categories.ts. */
const UNITS = ['s', 'reqps', 'ops', 'percentunit', 'bytes', 'short', 'none'];
/** What Grafana itself puts into queries. */
const BUILT_IN: Record<string, string> = { __rate_interval: '1m', __interval: '15s', __range: '1h' };

/** Every problem, each with its panel. */
export function problemsOf(dashboard: GrafanaDashboard, facts: Facts): string[] {
  const variables = samplesOf(dashboard);
  return [
    ...layoutProblems(dashboard.panels),
    ...(dashboard.templating.list ?? []).flatMap((variable) =>
      variable.type === 'query' ? listProblems(variable.query, facts.exposed) : [],
    ),
    ...panelsOf(dashboard).flatMap((panel) =>
      [
        ...textProblems(panel),
        ...panel.targets.flatMap((target) => queryProblems(target, variables, facts.exposed)),
        ...thresholdProblems(panel, facts),
      ].map((problem) => `${nameOf(panel)}: ${problem}`),
    ),
  ];
}

export function panelsOf(dashboard: GrafanaDashboard): Panel[] {
  return dashboard.panels.filter((panel) => panel.type !== 'row');
}

/** Names in backticks: objectives, alerts and policies that a panel refers to. */
export function citedBy(panel: Panel): string[] {
  return [...(panel.description ?? '').matchAll(/`([\w-]+)`/g)].map((match) => match[1] as string);
}

const nameOf = (panel: AnyPanel) => `panel ${panel.id} "${panel.title ?? ''}"`;

function layoutProblems(panels: readonly AnyPanel[]): string[] {
  const problems: string[] = [];
  panels.forEach((panel, i) => {
    const { x, y, w, h } = panel.gridPos;
    if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > COLUMNS)
      problems.push(`${nameOf(panel)}: is not within the ${COLUMNS} columns`);
    for (const other of panels.slice(0, i)) {
      const at = other.gridPos;
      if (other.id === panel.id) problems.push(`${nameOf(panel)}: has the id of ${nameOf(other)}`);
      if (x < at.x + at.w && at.x < x + w && y < at.y + at.h && at.y < y + h)
        problems.push(`${nameOf(panel)}: overlaps ${nameOf(other)}`);
    }
  });
  return problems;
}

function textProblems(panel: Panel): string[] {
  const problems: string[] = [];
  if (!panel.title?.trim()) problems.push('has no title');
  if (!panel.description?.trim()) problems.push('has no description');
  const { unit } = panel.fieldConfig.defaults;
  if (!UNITS.includes(unit ?? '')) problems.push(`has unit ${unit}: expected one of ${UNITS.join(', ')}`);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's syntax.
  const expected = { type: 'prometheus', uid: '${datasource}' };
  if (panel.datasource?.type !== expected.type || panel.datasource.uid !== expected.uid)
    problems.push(`expected ${expected.uid} as its datasource`);
  return problems;
}

/** Variable -> values that it can have. */
export function samplesOf(dashboard: GrafanaDashboard): Map<string, string[]> {
  const own = (dashboard.templating.list ?? []).map((variable): [string, string[]] => {
    const { name, type, query } = variable;
    return [name, type === 'custom' && typeof query === 'string' ? query.split(',') : [SOME_FUNCTION]];
  });
  return new Map([...Object.entries(BUILT_IN).map(([k, v]): [string, string[]] => [k, [v]]), ...own]);
}

/** The query as Prometheus gets it, once for each value of its variables; none when one of them is unknown. */
export function filledIn(query: string, variables: ReadonlyMap<string, readonly string[]>): string[] {
  const name = /\$\{?(\w+)\}?/;
  const found = name.exec(query)?.[1];
  if (found === undefined) return [query];
  const values = variables.get(found) ?? [];
  return values.flatMap((value) =>
    filledIn(query.replaceAll(new RegExp(`\\$\\{?${found}\\b\\}?`, 'g'), value), variables),
  );
}

function queryProblems(
  target: Panel['targets'][number],
  variables: ReadonlyMap<string, readonly string[]>,
  exposed: Exposed,
): string[] {
  const queries = filledIn(target.expr, variables);
  if (/\[\s*\d/.test(target.expr.replace(/"[^"]*"/g, '')))
    return [
      `query ${target.refId} has a fixed window, which is wrong at another time scale: expected a variable`,
    ];
  if (queries.length === 0) return [`query ${target.refId} has an unknown variable: ${target.expr}`];
  const syntax = queries.flatMap((query) =>
    promqlProblems(query).map(({ message }) => `${message} in ${query}`),
  );
  if (syntax.length > 0) return syntax;
  const { labels, problems } = readQuery(queries[0] as string, exposed);
  for (const [, label] of (target.legendFormat ?? '').matchAll(/\{\{\s*(\w+)\s*\}\}/g))
    if (!labels.has(label as string)) problems.push(`its legend has label ${label}, which its result lacks`);
  return problems;
}

/** Which labels the result of a query can have, and what it asks for that nobody exposes. */
function readQuery(query: string, exposed: Exposed): { labels: Set<string>; problems: string[] } {
  const labels = new Set<string>();
  const grouping = new Set<string>();
  const problems: string[] = [];
  let aggregates = false;
  parser.parse(query).iterate({
    enter(ref) {
      const text = query.slice(ref.from, ref.to);
      aggregates ||= ref.name === 'AggregateExpr';
      if (ref.name === 'LabelName' && ref.node.parent?.name === 'GroupingLabels') grouping.add(text);
      if (ref.name !== 'VectorSelector') return;
      const metric = /^[\w:]+/.exec(text)?.[0] ?? '';
      const known = exposed.metrics.get(metric);
      if (!known) problems.push(`nobody exposes metric "${metric}"`);
      else
        for (const matcher of ref.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [])
          problems.push(...matcherProblems(metric, query.slice(matcher.from, matcher.to), known));
      for (const label of known?.keys() ?? []) labels.add(label);
    },
  });
  for (const label of grouping)
    if (!labels.has(label)) problems.push(`groups by label "${label}", which none of its metrics has`);
  return { labels: aggregates ? grouping : labels, problems };
}

function matcherProblems(
  metric: string,
  matcher: string,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const [, label = '', operator = '', text = ''] = /^(\w+)\s*(\W+?)\s*"(.*)"$/.exec(matcher) ?? [];
  const values = known.get(label);
  if (!values) return [`${metric} has no label "${label}"`];
  if (values.size === 0 || text === '') return [];
  // Of regular expressions only a plain choice says which values it means.
  const isChoice = /^[\w-]+(\|[\w-]+)*$/.test(text);
  const meant = operator.endsWith('~') ? (isChoice ? text.split('|') : []) : [text];
  return meant
    .filter((value) => !values.has(value))
    .map((value) => `${metric} has no ${label}="${value}": it is one of ${[...values].join(', ')}`);
}

/** A variable's list of values. */
function listProblems(query: unknown, exposed: Exposed): string[] {
  const text = (query as { query?: string } | undefined)?.query ?? '';
  const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(text) ?? [];
  return exposed.metrics.get(metric)?.has(label) ? [] : [`variable: nobody exposes ${text}`];
}

/** A threshold is a promise: it must be that of an objective or an alert that the description names. */
function thresholdProblems(panel: Panel, { objectives, rules }: Facts): string[] {
  const { thresholds, unit } = panel.fieldConfig.defaults;
  const problems: string[] = [];
  const allowed = new Set([0]);
  for (const name of citedBy(panel)) {
    const objective = objectives.find((o) => o.name === name);
    const alert = rules.find((rule) => rule.kind === 'alert' && rule.name === name);
    const tier = objectives.flatMap((o) => o.burnRate?.conditions ?? []).find((c) => c.name === name);
    if (tier) allowed.add(tier.factor);
    else if (alert) for (const number of limitsOf(alert.expr)) allowed.add(number);
    // A target that the time scale divides can be no fixed threshold; a query can divide.
    else if (objective?.timeScaled) {
      const divided = `vector(${objective.target} / $time_scale)`;
      if (!panel.targets.some(({ expr }) => expr === divided)) problems.push(`expected the query ${divided}`);
    } else if (objective && unitOf(objective) === unit) {
      const isLeast = objective.op === 'gt' || objective.op === 'gte';
      allowed.add(isLeast ? Number((1 - objective.target).toPrecision(6)) : objective.target);
    }
    // Other words in backticks are lower case, without a hyphen.
    if (!objective && !alert && !tier && /^[A-Z]|-/.test(name))
      problems.push(`names "${name}", which is no objective, alert or policy`);
  }
  for (const { value } of thresholds?.steps ?? [])
    if (value !== null && !allowed.has(value))
      problems.push(`threshold ${value} is that of no objective or alert which its description names`);
  return problems;
}

function unitOf({ indicator }: ObjectiveTemplate): string {
  if (indicator.type === 'ratio' || indicator.unit === 'ratio') return 'percentunit';
  return indicator.unit === 's' ? 's' : 'short';
}

/** What an alert compares with. Its guards, counts of events, are compared by `>=` (slo/rules/sre-guide.yaml). */
function limitsOf(expr: string): number[] {
  const limits: number[] = [];
  parser.parse(expr).iterate({
    enter({ name, node }) {
      const limit = node.lastChild;
      if (name === 'BinaryExpr' && node.getChild('Gtr') && limit?.name === 'NumberDurationLiteral')
        limits.push(Number(expr.slice(limit.from, limit.to)));
    },
  });
  return limits;
}
