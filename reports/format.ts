/** Text of numbers, durations and names for all reports; and escaping, because a bundle's names come from outside. */
import type { Plan } from '../evidence/plan.ts';
import { FILES } from '../evidence/tables.ts';
import type { CoreMetrics, ObjectiveResult, Verdict, VerdictDocument } from '../evidence/verdict.ts';

/** Text for HTML content and for double-quoted attributes. */
export const escapeHtml = (text: unknown): string =>
  String(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** Text for XML 1.0, also in attributes: what XML cannot hold (controls, lone surrogates) is written as `\u001b`. */
export const escapeXml = (text: unknown): string =>
  escapeHtml(text)
    .replaceAll('\r', '&#13;')
    .replace(
      /[[\p{Cc}\p{Surrogate}\ufffe\uffff]--[\t\n\r]]/gv,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );

/** One line without control characters or those that turn the direction of text: for terminals and Markdown. */
export const oneLine = (text: unknown): string =>
  String(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();

/** JSON that may stand in a `<script type="application/json">`: no `<`, and nothing that ends a line for old parsers. */
export const jsonForScript = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');

/** A number for reading: at most four significant digits, thousands apart with a thin space, `–` for none. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-∞';
  const size = Math.abs(value);
  const rounded =
    Number.isInteger(value) || size >= 10_000 ? Math.round(value) : Number(value.toPrecision(4));
  const [whole = '', part] = String(rounded).split('.');
  if (whole.includes('e')) return String(rounded);
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, '\u202f');
  return part ? `${spaced}.${part}` : spaced;
}

/** Milliseconds for reading: `340 ms`, `12.4 s`, `4 min 5 s`, `1 h 2 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size < 10) return `${sign}${Number(size.toPrecision(2))} ms`;
  if (size < 1000) return `${sign}${number(Math.round(size))} ms`;
  if (size < 60_000) return `${sign}${Number((size / 1000).toFixed(size < 10_000 ? 2 : 1))} s`;
  const seconds = Math.round(size / 1000);
  if (seconds < 3600) {
    const rest = seconds % 60;
    return `${sign}${Math.floor(seconds / 60)} min${rest ? ` ${rest} s` : ''}`;
  }
  const minutes = Math.round(seconds / 60);
  return `${sign}${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`;
}

/** A measured value with its unit; ratios as percent. */
export function quantity(value: number | null, unit: string): string {
  if (value === null) return '–';
  if (unit === 'ratio' || unit === '1') return `${number(Number((value * 100).toPrecision(5)))} %`;
  if (unit === 's') return duration(value * 1000);
  if (unit === 'ms') return duration(value);
  return unit ? `${number(value)} ${unit}` : number(value);
}

/** A measured value, or its bound, as exact as the verdict has it: nothing may look equal that is not. Ratios as percent. */
export function exact(value: number | null, unit: string): string {
  if (value === null) return '–';
  const text = (x: number) => String(Number(x.toPrecision(6)));
  if (unit === 'ratio') return `${text(value * 100)} %`;
  return unit ? `${text(value)} ${unit}` : text(value);
}

/** Unit of an objective's numbers; `ratio` for good ÷ total. */
export const unitOf = (objective: ObjectiveResult, plan: Plan | undefined): string =>
  objective.budget !== null ||
  plan?.objectives.find((o) => o.name === objective.name)?.indicator.type === 'ratio'
    ? 'ratio'
    : objective.unit;

/** Something was sent, and the verdict has no response time: it is infinite, which JSON can not say. */
export const unanswered = (c: CoreMetrics, seconds: number | null) =>
  seconds === null && c.requests > c.unsent;

/** What an objective has in place of a number when that is infinite; which rows had no value, its evidence tells. */
const INFINITE: Record<string, string> = {
  [FILES.requests]: 'no answer',
  [FILES.ledger]: 'not processed',
};

/** What was measured, as exact as the verdict has it. */
export function measuredText(o: ObjectiveResult, v: VerdictDocument, plan: Plan | undefined): string {
  if (o.measured !== null || o.samples === 0) return exact(o.measured, unitOf(o, plan));
  const file = v.checks.find((c) => c.id === o.checkId)?.evidence[0]?.file ?? '';
  return INFINITE[file] ?? '–';
}

export const OPERATOR: Record<string, string> = { lt: '<', lte: '≤', gt: '>', gte: '≥' };

/** Sign and word of a verdict: colour is never the only sign. */
export const SIGN: Record<Verdict, string> = { pass: '✓', fail: '✗', unknown: '?', error: '!' };

export const plural = (count: number, one: string, many = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : many}`;

/** `builds × 0.05` */
export function loadScaleText(scale: Record<string, number>): string {
  return Object.entries(scale)
    .map(([stream, factor]) => `${stream} × ${number(factor)}`)
    .join(', ');
}
