/**
 * Service level objectives from OpenSLO v1 files (SLO, SLI, AlertPolicy, AlertCondition, AlertNotificationTarget; one
 * object a file). Only what Faultline gives a meaning to is allowed: an unknown field is refused, not ignored.
 */
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { fieldName, readYaml, type YamlFile } from '../base/yaml-file.ts';
import type { Indicator, Objective } from '../evidence/plan.ts';
import {
  type AlertConditionSpec,
  FAULTLINE_ANNOTATIONS,
  OpenSloObject,
  type Sli,
  type Slo,
} from './objectives/openslo-schema.ts';
import { promqlProblems } from './rules/promql.ts';

/** A PromQL query that an objective needs in series.parquet. `$window` in it stands for the window of the phase. */
export interface NamedQuery {
  name: string;
  query: string;
  kind: 'raw' | 'range' | 'phase';
}

/** One tier of a multi-window burn-rate alert; windows in ms of real time. */
export interface BurnRateCondition {
  name: string;
  severity: string;
  /** Times the rate that spends the whole budget in exactly the SLO's window. */
  factor: number;
  longMs: number;
  shortMs: number;
  forMs: number;
}

/** An objective before a scenario uses it. */
export interface ObjectiveTemplate {
  name: string;
  title: string;
  description: string;
  service: string;
  /** Document that sets it. */
  source: string;
  indicator: Indicator;
  op: Objective['op'];
  /** As in production: not divided by the time scale. */
  target: number;
  timeScaled: boolean;
  minSamples: number;
  informational: boolean;
  /** For a ratio with alert policies: PromQL of the counts in `$window`, and the tiers. */
  burnRate?: { good: string; total: string; target: number; conditions: BurnRateCondition[] };
  file: string;
  line?: number;
}

export interface LoadedObjectives {
  /** In the order of their names. */
  objectives: ObjectiveTemplate[];
  /** Queries that the collector must fetch, each name once. */
  queries: NamedQuery[];
}

interface Loaded {
  file: string;
  yaml: YamlFile<OpenSloObject>;
  object: OpenSloObject;
}

/** @throws RefusedError with the problems of all files. */
export function loadObjectives(files: readonly string[]): LoadedObjectives {
  const problems: Diagnostic[] = [];
  const loaded: Loaded[] = [];
  for (const file of files) {
    try {
      const yaml = readYaml(file, OpenSloObject);
      loaded.push({ file, yaml, object: yaml.value });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      problems.push(...error.diagnostics);
    }
  }
  const reader = new Reader(loaded, problems);
  const objectives = loaded.flatMap((item) =>
    item.object.kind === 'SLO' ? (reader.objective(item, item.object) ?? []) : [],
  );
  if (problems.length > 0) throw new RefusedError(problems);
  objectives.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { objectives, queries: [...reader.queries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

export interface ObjectiveUse {
  /** Phases in which it is judged, or `run`. */
  phases: string[];
  /** Overrides the objective's own target, in its unit, as in production. */
  target?: number;
  informational?: boolean;
}

/** The objective of `plan.json`: target overridden, and divided by the time scale where timers of the platform govern it. */
export function toObjective(template: ObjectiveTemplate, use: ObjectiveUse, timeScale: number): Objective {
  const target = use.target ?? template.target;
  return {
    name: template.name,
    title: template.title,
    source: template.source,
    indicator: template.indicator,
    op: template.op,
    target: template.timeScaled ? target / timeScale : target,
    timeScaled: template.timeScaled,
    phases: use.phases,
    minSamples: template.minSamples,
    informational: template.informational || (use.informational ?? false),
  };
}

const QUANTILES: Record<string, number> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

class Reader {
  readonly queries = new Map<string, NamedQuery>();
  private readonly byName = new Map<string, Loaded>();
  private readonly problems: Diagnostic[];

  constructor(loaded: Loaded[], problems: Diagnostic[]) {
    this.problems = problems;
    for (const item of loaded) {
      const key = `${item.object.kind}/${item.object.metadata.name}`;
      const other = this.byName.get(key);
      if (other)
        this.complain(
          item,
          ['metadata', 'name'],
          `${key} is already in ${other.file}: expected a name of its own`,
        );
      else this.byName.set(key, item);
    }
  }

  objective(item: Loaded, slo: Slo): ObjectiveTemplate | undefined {
    const before = this.problems.length;
    const annotations = this.annotations(item, slo);
    const [sli, sliItem, path] = this.sli(item, slo);
    const threshold = slo.spec.objectives[0];
    if (!sli || !threshold) return undefined;
    const target =
      threshold.target ?? (threshold.targetPercent === undefined ? undefined : threshold.targetPercent / 100);
    if (target === undefined || (threshold.target !== undefined && threshold.targetPercent !== undefined)) {
      this.complain(item, ['spec', 'objectives', 0], 'expected either target or targetPercent');
      return undefined;
    }
    const indicator = this.indicator(sliItem, slo, sli, path, target);
    const ratio = sli.ratioMetric !== undefined;
    if (!ratio && (threshold.op === undefined || threshold.value === undefined)) {
      this.complain(item, ['spec', 'objectives', 0], 'a thresholdMetric needs op and value');
    }
    if (ratio && (threshold.op !== undefined || threshold.value !== undefined)) {
      this.complain(
        item,
        ['spec', 'objectives', 0],
        'op and value belong to a thresholdMetric; a ratioMetric has a target only',
      );
    }
    if (ratio && annotations['time-scaled'] === 'true') {
      this.complain(
        item,
        ['metadata', 'annotations', 'faultline.dev/time-scaled'],
        'a ratio is no time: only a thresholdMetric can be time-scaled',
      );
    }
    const burnRate = this.burnRate(item, slo, sli, annotations, target);
    if (!indicator || this.problems.length > before) return undefined;
    return {
      name: slo.metadata.name,
      title: slo.metadata.displayName ?? slo.metadata.name,
      description: slo.spec.description ?? '',
      service: slo.spec.service,
      source: annotations.source ?? '',
      indicator,
      op: ratio ? (annotations.op === 'gt' ? 'gt' : 'gte') : (threshold.op as Objective['op']),
      target: ratio ? target : (threshold.value as number),
      timeScaled: annotations['time-scaled'] === 'true',
      minSamples: Number(annotations['min-samples'] ?? 1),
      informational: annotations.informational === 'true',
      ...(burnRate ? { burnRate } : {}),
      file: item.file,
      line: item.yaml.lineOf([]),
    };
  }

  /** Annotations of ours without their prefix; those of other tools are not looked at. */
  private annotations(item: Loaded, slo: Slo): Record<string, string | undefined> {
    const own: Record<string, string | undefined> = {};
    for (const [key, value] of Object.entries(slo.metadata.annotations)) {
      if (!key.startsWith('faultline.dev/')) continue;
      const name = key.slice('faultline.dev/'.length);
      const path = ['metadata', 'annotations', key];
      const format = FAULTLINE_ANNOTATIONS[name];
      if (!format)
        this.complain(
          item,
          path,
          `unknown annotation: expected one of ${Object.keys(FAULTLINE_ANNOTATIONS).join(', ')}`,
        );
      else if (!format.matches.test(value))
        this.complain(item, path, `expected ${format.expected}, got "${value}"`);
      own[name] = value;
    }
    if (own.source === undefined)
      this.complain(
        item,
        ['metadata'],
        'the annotation faultline.dev/source must name the document that sets this objective',
      );
    return own;
  }

  private sli(item: Loaded, slo: Slo): [Sli['spec'] | undefined, Loaded, PropertyKey[]] {
    const { indicator, indicatorRef } = slo.spec;
    if ((indicator === undefined) === (indicatorRef === undefined)) {
      this.complain(item, ['spec'], 'expected either indicator or indicatorRef');
      return [undefined, item, []];
    }
    if (indicator) return [indicator.spec, item, ['spec', 'indicator', 'spec']];
    const target = this.byName.get(`SLI/${indicatorRef}`);
    if (target?.object.kind === 'SLI') return [target.object.spec, target, ['spec']];
    this.complain(item, ['spec', 'indicatorRef'], `no file has an SLI named "${indicatorRef}"`);
    return [undefined, item, []];
  }

  private indicator(
    item: Loaded,
    slo: Slo,
    sli: Sli['spec'],
    path: PropertyKey[],
    target: number,
  ): Indicator | undefined {
    const { thresholdMetric, ratioMetric } = sli;
    if ((thresholdMetric === undefined) === (ratioMetric === undefined)) {
      this.complain(item, path, 'expected either thresholdMetric or ratioMetric');
      return undefined;
    }
    if (ratioMetric) return this.ratio(item, slo, ratioMetric, [...path, 'ratioMetric']);
    const source = thresholdMetric?.metricSource;
    const specPath = [...path, 'thresholdMetric', 'metricSource', 'spec'];
    if (source?.type === 'Faultline') {
      const { table, where, value, statistic, unit } = source.spec;
      this.checkStatistic(item, specPath, statistic, target);
      return { type: 'quantile', statistic, value, rows: { table, where }, unit };
    }
    if (source?.type === 'Prometheus') {
      const { query, kind, statistic, unit } = source.spec;
      const name = queryName(slo);
      this.checkStatistic(item, specPath, statistic, target);
      this.addQuery(item, [...specPath, 'query'], { name, query, kind });
      return { type: 'series', statistic, query: name, kind, unit };
    }
    return undefined;
  }

  /** `target` is OpenSLO's share of events within the value: 0.95 says the same as statistic p95, and must not say another thing. */
  private checkStatistic(item: Loaded, path: PropertyKey[], statistic: string, target: number): void {
    const share = QUANTILES[statistic];
    if (share !== undefined && Math.abs(share - target) > 1e-9) {
      this.complain(
        item,
        [...path, 'statistic'],
        `${statistic} contradicts the objective's target ${target}: expected target ${share}`,
      );
    }
  }

  private ratio(
    item: Loaded,
    slo: Slo,
    metric: NonNullable<Sli['spec']['ratioMetric']>,
    path: PropertyKey[],
  ): Indicator | undefined {
    const total = metric.total.metricSource;
    const good = metric.good.metricSource;
    if (good.type === 'Faultline' && total.type === 'Faultline') {
      if (good.spec.table !== total.spec.table) {
        this.complain(
          item,
          [...path, 'good', 'metricSource', 'spec', 'table'],
          `expected "${total.spec.table}" as in total: good rows are a part of all rows`,
        );
      }
      return {
        type: 'ratio',
        good: good.spec.where,
        total: { table: total.spec.table, where: total.spec.where },
      };
    }
    if (good.type === 'Prometheus' && total.type === 'Prometheus') {
      for (const [side, query] of [
        ['good', good.spec.query],
        ['total', total.spec.query],
      ] as const)
        this.checkWindowed(item, [...path, side, 'metricSource', 'spec', 'query'], query);
      // Filtered, so that no events give no sample (unknown) and not 0/0.
      const query = `(${good.spec.query}) / ((${total.spec.query}) > 0)`;
      const name = queryName(slo);
      this.queries.set(name, { name, query, kind: 'phase' });
      // One value a phase; of a run it is the worst phase that counts.
      return { type: 'series', statistic: 'min', query: name, kind: 'phase', unit: 'ratio' };
    }
    this.complain(item, [...path, 'good', 'metricSource', 'type'], `expected "${total.type}" as in total`);
    return undefined;
  }

  private addQuery(item: Loaded, path: PropertyKey[], query: NamedQuery): void {
    if (query.kind === 'phase') this.checkWindowed(item, path, query.query);
    else {
      this.checkPromql(item, path, query.query);
      if (query.query.includes('$window'))
        this.complain(item, path, '$window has a meaning only in a query of kind phase');
    }
    this.queries.set(query.name, query);
  }

  private checkWindowed(item: Loaded, path: PropertyKey[], query: string): void {
    this.checkPromql(item, path, query);
    if (!query.includes('$window')) this.complain(item, path, 'expected $window in the query');
  }

  private checkPromql(item: Loaded, path: PropertyKey[], query: string): void {
    for (const problem of promqlProblems(query.replaceAll('$window', '1m')))
      this.complain(item, path, problem.message);
  }

  private burnRate(
    item: Loaded,
    slo: Slo,
    sli: Sli['spec'],
    annotations: Record<string, string | undefined>,
    target: number,
  ): ObjectiveTemplate['burnRate'] {
    const own = { good: annotations['burn-good'], total: annotations['burn-total'] };
    for (const [name, query] of Object.entries(own)) {
      if (query !== undefined)
        this.checkWindowed(item, ['metadata', 'annotations', `faultline.dev/burn-${name}`], query);
    }
    if (slo.spec.alertPolicies.length === 0) return undefined;
    const good = own.good ?? countQuery(sli.ratioMetric?.good);
    const total = own.total ?? countQuery(sli.ratioMetric?.total);
    if (!sli.ratioMetric || good === undefined || total === undefined) {
      this.complain(
        item,
        ['spec', 'alertPolicies'],
        'a burn rate needs a ratioMetric, from Prometheus or with the annotations faultline.dev/burn-good and faultline.dev/burn-total',
      );
      return undefined;
    }
    const conditions = slo.spec.alertPolicies.flatMap(
      (policy, i) =>
        this.condition(item, policy.alertPolicyRef, ['spec', 'alertPolicies', i, 'alertPolicyRef'], target) ??
        [],
    );
    return { good, total, target, conditions };
  }

  private condition(
    item: Loaded,
    ref: string,
    path: PropertyKey[],
    target: number,
  ): BurnRateCondition | undefined {
    const policy = this.byName.get(`AlertPolicy/${ref}`);
    if (policy?.object.kind !== 'AlertPolicy') {
      this.complain(item, path, `no file has an AlertPolicy named "${ref}"`);
      return undefined;
    }
    const inner = policy.object.spec.conditions[0];
    let spec: AlertConditionSpec | undefined;
    let metadata: { name: string; annotations: Record<string, string> } | undefined;
    if (inner && 'conditionRef' in inner) {
      const external = this.byName.get(`AlertCondition/${inner.conditionRef}`);
      if (external?.object.kind === 'AlertCondition') ({ spec, metadata } = external.object);
      else
        this.complain(
          policy,
          ['spec', 'conditions', 0, 'conditionRef'],
          `no file has an AlertCondition named "${inner.conditionRef}"`,
        );
    } else if (inner) {
      ({ spec, metadata } = inner);
    }
    if (!spec || !metadata) return undefined;
    if (spec.condition.threshold * (1 - target) >= 1) {
      this.complain(
        item,
        path,
        `"${ref}" can never fire: ${spec.condition.threshold} times a budget of ${1 - target} is 100 % or more`,
      );
    }
    const { lookbackWindow, alertAfter, threshold } = spec.condition;
    const short = metadata.annotations['faultline.dev/short-window'];
    return {
      name: metadata.name,
      severity: spec.severity,
      factor: threshold,
      longMs: lookbackWindow,
      shortMs: shortWindow(short, lookbackWindow),
      forMs: alertAfter ?? 0,
    };
  }

  private complain(item: Loaded, path: PropertyKey[], message: string): void {
    this.problems.push({
      file: item.file,
      line: item.yaml.lineOf(path),
      field: fieldName(path) || undefined,
      message,
    });
  }
}

/** Name in series.parquet; the prefix keeps it apart from the profile's queries. */
function queryName(slo: Slo): string {
  return `objective.${slo.metadata.name}`;
}

function countQuery(count: NonNullable<Sli['spec']['ratioMetric']>['good'] | undefined): string | undefined {
  return count?.metricSource.type === 'Prometheus' ? count.metricSource.spec.query : undefined;
}

/** OpenSLO has one window. The second is 1/12 of it, as the SRE workbook advises, unless the annotation says otherwise. */
function shortWindow(text: string | undefined, longMs: number): number {
  const minutes = /^(\d+)m$/.exec(text ?? '');
  return minutes ? Number(minutes[1]) * 60_000 : longMs / 12;
}
