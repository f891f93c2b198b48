/**
 * How much of a window a fault must fill before an alert can fire. The planner refuses a shorter fault, so this is rather too little than
 * too much:
 *
 *   absent_over_time(x[R])                        all of R: a sample from before the fault is still there
 *   max_over_time(x[R]) < c, <= c, == 0           all of R: every sample must be so
 *   min_over_time(x[R]) > c, >= c                 all of R
 *   avg_over_time(x[R]) < c, <= c, == 0, with     (1 - c) R: healthy samples are 1 (or more), and those of the fault not under 0
 *     0 <= c < 1 and x named up, ..._up, ..._ready
 *   all else                                      nothing: one sample may be enough for rate(), increase(), the average of anything
 *
 * That takes for granted that every sample before the fault is a healthy one, and that the fault makes no new series, which would have no
 * past. Of conditions joined by `and` and `or` the least counts: the other may hold all the time. An offset only delays.
 * Source: Prometheus documentation, "Query functions", "<aggregation>_over_time()".
 */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { rangeOf } from './promql.ts';

const HEALTH = /(?:^|[_:])(?:up|ready)$/;
/** They leave a value as it was, of series that the fault has not touched yet. */
const KEEPS = /^(?:sum|avg|min|max)$/;
const MIRRORED: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==' };

/** @param expr valid, with recorded series written out @returns ms; 0: it can be true at once */
export function fillMs(expr: string): number {
  const top = parser.parse(expr).topNode.firstChild;
  return top ? ofCondition(expr, top) : 0;
}

function ofCondition(expr: string, node: SyntaxNode): number {
  const bare = unwrapped(node);
  if (bare.name === 'FunctionCall')
    return callOf(expr, bare) === 'absent_over_time' ? rangeOf(expr, argumentOf(bare)) : 0;
  const { firstChild: left, lastChild: right } = bare;
  const operator = left?.nextSibling;
  if (bare.name !== 'BinaryExpr' || !left || !right || !operator) return 0;
  if (operator.name === 'And' || operator.name === 'Or')
    return Math.min(ofCondition(expr, left), ofCondition(expr, right));
  const sign = textOf(expr, operator);
  // With `bool` the result is there whether it holds or not.
  if (bare.getChild('BoolModifier') || MIRRORED[sign] === undefined) return 0;
  const isMirrored = left.name === 'NumberDurationLiteral';
  const [value, bound] = isMirrored ? [right, left] : [left, right];
  const seen = isMirrored ? MIRRORED[sign] : sign;
  // Only what there is can be compared.
  return Math.max(ofCondition(expr, value), ofComparison(expr, value, seen, Number(textOf(expr, bound))));
}

/** @param bound NaN where it is no number: nothing is known of it */
function ofComparison(expr: string, node: SyntaxNode, sign: string, bound: number): number {
  const bare = unwrapped(node);
  if (Number.isNaN(bound)) return 0;
  if (bare.name === 'AggregateExpr') {
    const kept = KEEPS.test(textOf(expr, bare.firstChild)) && bare.getChild('FunctionCallBody')?.lastChild;
    return kept ? ofComparison(expr, kept, sign, bound) : 0;
  }
  if (bare.name !== 'FunctionCall') return 0;
  const window = argumentOf(bare);
  const isBelow = sign.startsWith('<') || (sign === '==' && bound === 0);
  switch (callOf(expr, bare)) {
    case 'max_over_time':
      return isBelow ? rangeOf(expr, window) : 0;
    case 'min_over_time':
      return sign.startsWith('>') ? rangeOf(expr, window) : 0;
    case 'avg_over_time': {
      const isShare = isBelow && bound >= 0 && bound < 1;
      return isShare && isHealth(expr, window) ? Math.floor((1 - bound) * rangeOf(expr, window)) : 0;
    }
    default:
      return 0;
  }
}

const textOf = (expr: string, node: SyntaxNode | null) => (node ? expr.slice(node.from, node.to) : '');
const callOf = (expr: string, call: SyntaxNode) => textOf(expr, call.firstChild);

/** The range that a call of one argument is over. */
function argumentOf(call: SyntaxNode): SyntaxNode {
  const argument = call.getChild('FunctionCallBody')?.firstChild;
  return argument ? unwrapped(argument) : call;
}

function isHealth(expr: string, window: SyntaxNode): boolean {
  const selector = window.firstChild && unwrapped(window.firstChild);
  return (
    selector?.name === 'VectorSelector' &&
    selector.firstChild?.name === 'Identifier' &&
    HEALTH.test(textOf(expr, selector.firstChild))
  );
}

function unwrapped(node: SyntaxNode): SyntaxNode {
  const inner = node.name === 'ParenExpr' || node.name === 'OffsetExpr' ? node.firstChild : null;
  return inner ? unwrapped(inner) : node;
}
