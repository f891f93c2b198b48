/**
 * Prometheus rule files: read, refused when wrong, divided by the time scale, and written for the run's Prometheus.
 * Format: Prometheus documentation, "Recording rules" and "Alerting rules" (2.42).
 */
import { stringify } from 'yaml';
import { z } from 'zod';
import { formatDuration } from '../base/duration.ts';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { fieldName, readYaml, type YamlFile } from '../base/yaml-file.ts';
import type { PlannedRule } from '../evidence/plan.ts';
import { HEARTBEAT } from '../evidence/tables.ts';
import { fillMs } from './rules/fill.ts';
import { parsePrometheusDuration } from './rules/prometheus-duration.ts';
import { promqlProblems, promqlRanges, scalePromql } from './rules/promql.ts';
import { writtenOut } from './rules/recorded.ts';

export interface Rule {
  kind: 'alert' | 'record';
  /** Name of the alert or of the recorded series. */
  name: string;
  expr: string;
  /** 0 without `for`. */
  forMs: number;
  keepFiringForMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  group: string;
  file: string;
  line?: number;
}

const Duration = z.string().transform((text, context) => {
  const ms = parsePrometheusDuration(text);
  if (ms !== undefined) return ms;
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not a duration: expected one such as 5m or 1h30m`,
  });
  return z.NEVER;
});

const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const Texts = z.record(z.string(), z.string()).superRefine((texts, context) => {
  for (const name of Object.keys(texts)) {
    if (!LABEL.test(name))
      context.addIssue({ code: 'custom', path: [name], message: 'expected a name of letters, digits and _' });
  }
});

const RuleEntry = z.strictObject({
  alert: z.string().min(1).optional(),
  record: z
    .string()
    .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'expected a metric name')
    .optional(),
  expr: z.string(),
  for: Duration.optional(),
  keep_firing_for: Duration.optional(),
  labels: Texts.optional(),
  annotations: Texts.optional(),
});

/** A group's own `interval` is read and not kept: the run sets one evaluation interval, divided by the time scale. */
const RuleFile = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string().min(1),
      interval: Duration.optional(),
      limit: z.number().int().min(0).optional(),
      rules: z.array(RuleEntry),
    }),
  ),
});
type RuleFile = z.infer<typeof RuleFile>;

/** Rules that are not a file of their own: part of a rendered manifest. */
export interface RuleContent {
  file: string;
  /** As a rule file has it. */
  content: unknown;
}

/** @throws RefusedError with the problems of all: unknown field, bad duration, bad PromQL, a name used twice. */
export function loadRules(files: readonly string[], contents: readonly RuleContent[] = []): Rule[] {
  const rules: Rule[] = [];
  const problems: Diagnostic[] = [];
  for (const file of files) {
    try {
      rules.push(...rulesOf(file, readYaml(file, RuleFile), problems));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      problems.push(...error.diagnostics);
    }
  }
  for (const { file, content } of contents) {
    const parsed = RuleFile.safeParse(content);
    if (parsed.success) {
      rules.push(...rulesOf(file, { value: parsed.data, text: '', lineOf: () => undefined }, problems));
      continue;
    }
    for (const { path, message } of parsed.error.issues)
      problems.push({ file, field: fieldName(['spec', ...path]), message });
  }
  problems.push(...duplicates(rules));
  if (problems.length > 0) throw new RefusedError(problems);
  return rules;
}

function rulesOf(file: string, yaml: YamlFile<RuleFile>, problems: Diagnostic[]): Rule[] {
  const rules: Rule[] = [];
  yaml.value.groups.forEach((group, g) => {
    group.rules.forEach((entry, r) => {
      const path = ['groups', g, 'rules', r];
      const field = `groups[${g}].rules[${r}]`;
      const line = yaml.lineOf(path);
      if ((entry.alert === undefined) === (entry.record === undefined)) {
        problems.push({ file, line, field, message: 'expected either alert or record' });
        return;
      }
      if (
        entry.record !== undefined &&
        (entry.for ?? entry.keep_firing_for ?? entry.annotations) !== undefined
      ) {
        problems.push({ file, line, field, message: 'a recording rule has only record, expr and labels' });
      }
      for (const problem of promqlProblems(entry.expr)) {
        problems.push({
          file,
          line: lineInExpr(yaml, [...path, 'expr'], entry.expr, problem.at),
          field: `${field}.expr`,
          message: problem.message,
        });
      }
      rules.push({
        kind: entry.alert === undefined ? 'record' : 'alert',
        name: entry.alert ?? entry.record ?? '',
        expr: entry.expr,
        forMs: entry.for ?? 0,
        keepFiringForMs: entry.keep_firing_for ?? 0,
        labels: entry.labels ?? {},
        annotations: entry.annotations ?? {},
        group: group.name,
        file,
        line,
      });
    });
  });
  return rules;
}

/** Line of an offset in an expression; the text of a block scalar (`|`) starts on the line after its indicator. */
function lineInExpr(
  yaml: YamlFile<RuleFile>,
  path: PropertyKey[],
  expr: string,
  at: number,
): number | undefined {
  const first = yaml.lineOf(path);
  if (first === undefined) return undefined;
  const isBlock = /:\s+[|>][-+0-9]*\s*(?:#.*)?$/.test(yaml.text.split('\n')[first - 1] ?? '');
  // The parser reports a broken-off expression at its very end, which is after the last line.
  const position = Math.min(at, expr.trimEnd().length);
  return first + (isBlock ? 1 : 0) + (expr.slice(0, position).match(/\n/g)?.length ?? 0);
}

/** Contracts name alerts by name only, so a name can have one rule; Prometheus refuses a group name used twice in a file. */
function duplicates(rules: Rule[]): Diagnostic[] {
  const problems: Diagnostic[] = [];
  const first = new Map<string, Rule>();
  for (const rule of rules.filter((r) => r.kind === 'alert')) {
    const other = first.get(rule.name);
    if (other)
      problems.push({
        file: rule.file,
        line: rule.line,
        field: 'alert',
        message: `"${rule.name}" is already at ${other.file}:${other.line}: expected a name of its own`,
      });
    else first.set(rule.name, rule);
  }
  return problems;
}

/**
 * Divides `for`, `keep_firing_for`, ranges, subquery steps and offsets by `timeScale` (>= 1 in practice). Thresholds,
 * event counts and texts stay.
 */
export function scaleRules(rules: readonly Rule[], timeScale: number): Rule[] {
  return rules.map((rule) => ({
    ...rule,
    expr: scalePromql(rule.expr, timeScale),
    forMs: rule.forMs / timeScale,
    keepFiringForMs: rule.keepFiringForMs / timeScale,
  }));
}

/** Its samples show when Prometheus evaluated rules, and when it did not. */
export const heartbeatRule: Rule = {
  kind: 'record',
  name: HEARTBEAT,
  expr: 'vector(1)',
  forMs: 0,
  keepFiringForMs: 0,
  labels: {},
  annotations: {},
  group: HEARTBEAT,
  file: 'slo/rules.ts',
};

/** The rules as one Prometheus rule file, every group evaluated each `evaluationMs`. */
export function renderRules(rules: readonly Rule[], evaluationMs: number): string {
  const groups = Map.groupBy(rules, (rule) => `${rule.file}\n${rule.group}`);
  const taken = new Map<string, number>();
  return stringify(
    {
      groups: [...groups.values()].map((members) => ({
        name: uniqueName((members[0] as Rule).group, taken),
        interval: formatDuration(evaluationMs),
        rules: members.map(renderRule),
      })),
    },
    { lineWidth: 0 },
  );
}

function uniqueName(name: string, taken: Map<string, number>): string {
  const count = (taken.get(name) ?? 0) + 1;
  taken.set(name, count);
  return count === 1 ? name : `${name} (${count})`;
}

function renderRule(rule: Rule): Record<string, unknown> {
  return {
    [rule.kind]: rule.name,
    expr: rule.expr,
    ...(rule.forMs > 0 ? { for: formatDuration(rule.forMs) } : {}),
    ...(rule.keepFiringForMs > 0 ? { keep_firing_for: formatDuration(rule.keepFiringForMs) } : {}),
    ...(Object.keys(rule.labels).length > 0 ? { labels: rule.labels } : {}),
    ...(Object.keys(rule.annotations).length > 0 ? { annotations: rule.annotations } : {}),
  };
}

/** The alerts for `plan.json`. Takes all rules, scaled already: what an alert reads of recorded series is part of it. */
export function plannedRules(rules: readonly Rule[]): PlannedRule[] {
  const recorded = new Map(
    [
      ...Map.groupBy(
        rules.filter((rule) => rule.kind === 'record'),
        (rule) => rule.name,
      ),
    ].map(([name, same]) => [name, same.map((rule) => rule.expr)]),
  );
  return rules
    .filter((rule) => rule.kind === 'alert')
    .map((rule) => {
      const expr = writtenOut(rule.expr, recorded);
      const { longestMs, shortestMs } = promqlRanges(expr);
      const fill = fillMs(expr);
      return {
        alert: rule.name,
        expr: rule.expr,
        ...(expr === rule.expr ? {} : { writtenOut: expr }),
        forMs: rule.forMs,
        ...(rule.keepFiringForMs > 0 ? { keepFiringForMs: rule.keepFiringForMs } : {}),
        rangeMs: longestMs,
        shortestRangeMs: shortestMs,
        ...(fill > 0 ? { fillMs: fill } : {}),
        labels: rule.labels,
        annotations: rule.annotations,
        file: rule.file,
      };
    });
}
