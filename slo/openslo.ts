/**
 * Service level objectives from OpenSLO v1 files (SLO, SLI, AlertPolicy, AlertCondition, AlertNotificationTarget; one
 * object a file). An unknown field is refused, not ignored. `timeWindow` is for other readers of the file: a run judges
 * its own phases, and the windows of burn rates are those of their conditions.
 */
import { RefusedError } from '../base/errors.ts';
import type { Indicator, Objective } from '../evidence/plan.ts';
import { type BurnRate, readBurnRate } from './objectives/alert-policies.ts';
import { type Document, Documents } from './objectives/documents.ts';
import { type NamedQuery, readIndicator } from './objectives/indicators.ts';
import { FAULTLINE_ANNOTATIONS, type Sli, type Slo } from './objectives/openslo-schema.ts';

export type { BurnRate, BurnRateCondition } from './objectives/alert-policies.ts';
export type { NamedQuery } from './objectives/indicators.ts';

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
  /** For a ratio with alert policies. */
  burnRate?: BurnRate;
  file: string;
  line?: number;
}

export interface LoadedObjectives {
  /** In the order of their names. */
  objectives: ObjectiveTemplate[];
  /** Queries that the collector must fetch, each name once. */
  queries: NamedQuery[];
}

/** @throws RefusedError with the problems of all files. */
export function loadObjectives(files: readonly string[]): LoadedObjectives {
  const documents = new Documents(files);
  const read = documents.all.flatMap((document) =>
    document.object.kind === 'SLO' ? (readObjective(documents, document, document.object) ?? []) : [],
  );
  if (documents.problems.length > 0) throw new RefusedError(documents.problems);
  read.sort((a, b) => (a.objective.name < b.objective.name ? -1 : 1));
  return { objectives: read.map((r) => r.objective), queries: read.flatMap((r) => r.query ?? []) };
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
  // More than all of them is more than anything can be: "above 95 %" asked for as 100 % means all.
  const op = template.indicator.type === 'ratio' && template.op === 'gt' && target >= 1 ? 'gte' : template.op;
  return {
    name: template.name,
    title: template.title,
    source: template.source,
    indicator: template.indicator,
    op,
    target: template.timeScaled ? target / timeScale : target,
    timeScaled: template.timeScaled,
    phases: use.phases,
    minSamples: template.minSamples,
    informational: template.informational || (use.informational ?? false),
  };
}

function readObjective(
  documents: Documents,
  item: Document,
  slo: Slo,
): { objective: ObjectiveTemplate; query?: NamedQuery } | undefined {
  const annotations = readAnnotations(documents, item, slo);
  const found = findSli(documents, item, slo);
  const bound = readBound(documents, item, slo);
  if (!found || !bound) return undefined;
  const isRatio = found.sli.ratioMetric !== undefined;
  checkBound(documents, item, slo, isRatio, annotations);
  // The prefix keeps it apart from the profile's queries.
  const queryName = `objective.${slo.metadata.name}`;
  const read = readIndicator({ documents, ...found, queryName }, found.sli, bound.target);
  const burnRate = readBurnRate(documents, item, slo, found.sli, bound.target);
  if (!read) return undefined;
  const objective: ObjectiveTemplate = {
    name: slo.metadata.name,
    title: slo.metadata.displayName ?? slo.metadata.name,
    description: slo.spec.description ?? '',
    service: slo.spec.service,
    source: annotations.source ?? '',
    indicator: read.indicator,
    op: isRatio ? (annotations.op === 'gt' ? 'gt' : 'gte') : (bound.op ?? 'lt'),
    target: isRatio ? bound.target : (bound.value ?? Number.NaN),
    timeScaled: annotations['time-scaled'] === 'true',
    minSamples: Number(annotations['min-samples'] ?? 1),
    informational: annotations.informational === 'true',
    ...(burnRate ? { burnRate } : {}),
    file: item.file,
    line: item.yaml.lineOf([]),
  };
  return { objective, query: read.query };
}

/** Annotations of ours without their prefix; those of other tools are not looked at. */
function readAnnotations(documents: Documents, item: Document, slo: Slo): Record<string, string | undefined> {
  const own: Record<string, string | undefined> = {};
  for (const [key, value] of Object.entries(slo.metadata.annotations)) {
    if (!key.startsWith('faultline.dev/')) continue;
    const name = key.slice('faultline.dev/'.length);
    const path = ['metadata', 'annotations', key];
    const format = FAULTLINE_ANNOTATIONS[name];
    if (!format) {
      const known = Object.keys(FAULTLINE_ANNOTATIONS).join(', ');
      documents.complain(item, path, `unknown annotation: expected one of ${known}`);
    } else if (!format.matches.test(value)) {
      documents.complain(item, path, `expected ${format.expected}, got "${value}"`);
    }
    own[name] = value;
  }
  if (own.source === undefined) {
    const message = 'the annotation faultline.dev/source must name the document that sets this objective';
    documents.complain(item, ['metadata'], message);
  }
  return own;
}

function findSli(
  documents: Documents,
  item: Document,
  slo: Slo,
): { sli: Sli['spec']; document: Document; path: PropertyKey[] } | undefined {
  const { indicator, indicatorRef } = slo.spec;
  if (indicator && indicatorRef === undefined)
    return { sli: indicator.spec, document: item, path: ['spec', 'indicator', 'spec'] };
  if (indicatorRef === undefined || indicator) {
    documents.complain(item, ['spec'], 'expected either indicator or indicatorRef');
    return undefined;
  }
  const external = documents.find('SLI', indicatorRef, item, ['spec', 'indicatorRef']);
  return external && { sli: external.object.spec, document: external.document, path: ['spec'] };
}

type Bound = Slo['spec']['objectives'][number] & { target: number };

function readBound(documents: Documents, item: Document, slo: Slo): Bound | undefined {
  const bound = slo.spec.objectives[0];
  if (!bound || (bound.target === undefined) === (bound.targetPercent === undefined)) {
    documents.complain(item, ['spec', 'objectives', 0], 'expected either target or targetPercent');
    return undefined;
  }
  return { ...bound, target: bound.target ?? (bound.targetPercent as number) / 100 };
}

function checkBound(
  documents: Documents,
  item: Document,
  slo: Slo,
  isRatio: boolean,
  annotations: Record<string, string | undefined>,
): void {
  const bound = slo.spec.objectives[0];
  const path = ['spec', 'objectives', 0];
  if (!isRatio && (bound?.op === undefined || bound.value === undefined))
    documents.complain(item, path, 'a thresholdMetric needs op and value');
  if (isRatio && (bound?.op !== undefined || bound?.value !== undefined))
    documents.complain(
      item,
      path,
      'op and value belong to a thresholdMetric; a ratioMetric has a target only',
    );
  if (isRatio && annotations['time-scaled'] === 'true') {
    const message = 'a ratio is no time: only a thresholdMetric can be time-scaled';
    documents.complain(item, ['metadata', 'annotations', 'faultline.dev/time-scaled'], message);
  }
  if (!isRatio && annotations.op !== undefined) {
    const message = 'belongs to a ratioMetric; a thresholdMetric has op under objectives';
    documents.complain(item, ['metadata', 'annotations', 'faultline.dev/op'], message);
  }
}
