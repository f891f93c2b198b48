/** What this room must know of a PromQL expression: its errors, and where its durations are. Nothing is found by regex. */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { formatDuration } from '../../base/duration.ts';
import { parsePrometheusDuration } from './prometheus-duration.ts';

export interface PromqlProblem {
  /** Offset in the expression. */
  at: number;
  message: string;
}

/** A duration literal of an expression. */
export interface PromqlDuration {
  from: number;
  to: number;
  ms: number;
  role: 'range' | 'step' | 'offset';
}

/** Functions that take a range; with an instant vector the parser is content, and Prometheus is not. */
const RANGE_FUNCTIONS =
  /^(?:rate|irate|increase|delta|idelta|deriv|changes|resets|predict_linear|holt_winters|[a-z]+_over_time)$/;

/** All problems of an expression; empty when Prometheus 2.42 can be expected to take it. */
export function promqlProblems(expr: string): PromqlProblem[] {
  if (expr.trim() === '') return [{ at: 0, message: 'expected a PromQL expression, got nothing' }];
  const problems: PromqlProblem[] = [];
  parser.parse(expr).iterate({
    enter(ref) {
      const text = expr.slice(ref.from, ref.to);
      if (ref.type.isError) {
        if (problems.length === 0)
          problems.push({ at: ref.from, message: syntaxMessage(expr, ref.from, text) });
      } else if (ref.name === 'NumberDurationLiteralInDurationContext') {
        if (parsePrometheusDuration(text) === undefined || text === '0') {
          problems.push({
            at: ref.from,
            message: `"${text}" is not a duration: expected one such as 5m or 1h30m`,
          });
        }
      } else if (
        ref.name === 'DurationExpr' &&
        ref.node.firstChild?.name !== 'NumberDurationLiteralInDurationContext'
      ) {
        problems.push({
          at: ref.from,
          message: `"${text}": arithmetic on durations is not supported, expected one literal`,
        });
        return false;
      } else if (ref.name === 'FunctionCall') {
        const problem = argumentProblem(expr, ref.node);
        if (problem) problems.push(problem);
      }
      return true;
    },
  });
  return problems;
}

function syntaxMessage(expr: string, at: number, text: string): string {
  const before = expr
    .slice(Math.max(0, at - 20), at)
    .replace(/\s+/g, ' ')
    .trimStart();
  return text === ''
    ? `PromQL syntax error: the expression ends or breaks off after "${before}"`
    : `PromQL syntax error at "${text.slice(0, 20)}"${before === '' ? '' : ` after "${before}"`}`;
}

function argumentProblem(expr: string, call: SyntaxNode): PromqlProblem | undefined {
  const name = expr.slice(call.firstChild?.from ?? 0, call.firstChild?.to ?? 0);
  if (!RANGE_FUNCTIONS.test(name)) return undefined;
  const kinds: string[] = [];
  for (let node = call.lastChild?.firstChild ?? null; node; node = node.nextSibling)
    kinds.push(unwrapped(node).name);
  if (kinds.some((kind) => kind === 'MatrixSelector' || kind === 'SubqueryExpr')) return undefined;
  return { at: call.from, message: `${name}() expects a range such as metric[5m]` };
}

function unwrapped(node: SyntaxNode): SyntaxNode {
  const inner =
    node.name === 'OffsetExpr' || node.name === 'ParenExpr' || node.name === 'StepInvariantExpr'
      ? node.firstChild
      : null;
  return inner ? unwrapped(inner) : node;
}

/** Every range, subquery step and offset of a valid expression, in the order of the text. */
export function promqlDurations(expr: string): PromqlDuration[] {
  const found: PromqlDuration[] = [];
  parser.parse(expr).iterate({
    enter(ref) {
      if (ref.name !== 'NumberDurationLiteralInDurationContext') return;
      const ms = parsePrometheusDuration(expr.slice(ref.from, ref.to));
      if (ms !== undefined) found.push({ from: ref.from, to: ref.to, ms, role: roleOf(ref.node) });
    },
  });
  return found;
}

function roleOf(literal: SyntaxNode): PromqlDuration['role'] {
  const duration = literal.parent;
  if (duration?.name !== 'DurationExpr') return 'offset';
  if (duration.parent?.name !== 'SubqueryExpr') return 'range';
  return duration.prevSibling?.name === 'DurationExpr' ? 'step' : 'range';
}

/**
 * The expression with every range, step and offset divided by `timeScale`; nothing else changes. A duration that would
 * fall under a millisecond becomes 1ms, never 0s, which Prometheus refuses (pyrra-dev/pyrra#1028).
 */
export function scalePromql(expr: string, timeScale: number): string {
  if (timeScale === 1) return expr;
  let scaled = expr;
  for (const duration of promqlDurations(expr).reverse()) {
    scaled =
      scaled.slice(0, duration.from) + formatDuration(duration.ms / timeScale) + scaled.slice(duration.to);
  }
  return scaled;
}

/**
 * How far back an expression looks, ms, and its shortest range; 0 without any. A range inside a subquery adds to the subquery's, and an
 * offset to both.
 */
export function promqlRanges(expr: string): { longestMs: number; shortestMs: number } {
  let longestMs = 0;
  let shortestMs = Number.POSITIVE_INFINITY;
  parser.parse(expr).iterate({
    enter({ name, node }) {
      if (name === 'VectorSelector') longestMs = Math.max(longestMs, reachOf(expr, node));
      if (RANGES.test(name)) shortestMs = Math.min(shortestMs, rangeOf(expr, node));
    },
  });
  return { longestMs, shortestMs: Number.isFinite(shortestMs) ? shortestMs : 0 };
}

const RANGES = /^(?:MatrixSelector|SubqueryExpr)$/;

/**
 * From the evaluation to the oldest sample that a selector can read. What follows an operand belongs to that alone: of `a or b offset 5m` to
 * b; the parser, made for highlighting, puts it around both.
 */
function reachOf(expr: string, selector: SyntaxNode): number {
  let reach = 0;
  let isLast = true;
  for (let node = selector; node.parent; node = node.parent) {
    const around = node.parent;
    if (around.name === 'BinaryExpr') isLast &&= node.to === around.to;
    else if (around.name === 'ParenExpr' || around.name === 'FunctionCallBody') isLast = true;
    else if (isLast && RANGES.test(around.name)) reach += rangeOf(expr, around);
    else if (isLast && around.name === 'OffsetExpr') reach += offsetOf(expr, around);
  }
  return reach;
}

/** Negative for one that looks ahead. */
function offsetOf(expr: string, node: SyntaxNode): number {
  const signed = node.getChild('OffsetDurationExpr');
  // A sign is a node around the duration.
  const duration = signed?.getChild('OffsetDurationExpr') ?? signed;
  if (!signed || !duration) return 0;
  const ms = parsePrometheusDuration(expr.slice(duration.from, duration.to)) ?? 0;
  return expr[signed.from] === '-' ? -ms : ms;
}

/** Of a matrix selector or a subquery, ms. */
export function rangeOf(expr: string, selector: SyntaxNode): number {
  const duration = selector.getChild('DurationExpr');
  return duration ? (parsePrometheusDuration(expr.slice(duration.from, duration.to)) ?? 0) : 0;
}

/** Names of the metrics that an expression reads, sorted. */
export function promqlMetrics(expr: string): string[] {
  const names = new Set<string>();
  parser.parse(expr).iterate({
    enter(ref) {
      if (ref.name === 'VectorSelector' && ref.node.firstChild?.name === 'Identifier') {
        names.add(expr.slice(ref.node.firstChild.from, ref.node.firstChild.to));
      }
    },
  });
  return [...names].sort();
}

/** Functions that have a result without any metric. */
const NEEDS_NOTHING = /^(?:absent|absent_over_time|vector)$/;

/**
 * Metrics of which one must be there, or an expression has no result, sorted. None: it may have one without any, or a matcher chooses
 * them.
 */
export function promqlNeeds(expr: string): string[] {
  let isOpen = false;
  parser.parse(expr).iterate({
    enter(ref) {
      const { firstChild } = ref.node;
      const text = expr.slice(firstChild?.from ?? 0, firstChild?.to ?? 0);
      if (ref.name === 'VectorSelector' && firstChild?.name !== 'Identifier') isOpen = true;
      if (ref.name === 'FunctionCall' && NEEDS_NOTHING.test(text)) isOpen = true;
    },
  });
  return isOpen ? [] : promqlMetrics(expr);
}
