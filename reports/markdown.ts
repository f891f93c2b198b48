/** Markdown for a GitHub step summary: the verdict, why, and the tables that fit; everything else is in report.html. */
import { nextSteps } from './advice.ts';
import type { ReportBundle } from './bundle.ts';
import {
  duration,
  exact,
  loadScaleText,
  measuredText,
  number,
  OPERATOR,
  oneLine,
  plural,
  SIGN,
  unitOf,
} from './format.ts';
import { stayedSilent } from './lanes.ts';

/** GitHub takes 1 MiB a step; a summary longer than this is no summary. Bytes, about. */
const MAX_LENGTH = 256 * 1024;
const MAX_ROWS = 60;

/** Text of a bundle as it is: no markup, no link, no mention, one line. `code` in our own advice passes by other ways. */
export const escapeMarkdown = (text: unknown): string =>
  oneLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]{}|~#>!]/g, (c) => `\\${c}`)
    .replaceAll('@', '@\u200b')
    .replaceAll('://', ':\u200b//');

function table(head: string[], rows: unknown[][]): string {
  if (rows.length === 0) return '';
  const line = (cells: unknown[]) => `| ${cells.join(' | ')} |`;
  const shown = rows.slice(0, MAX_ROWS);
  const rest =
    rows.length > shown.length ? `\n\n${plural(rows.length - shown.length, 'more row')} in report.html.` : '';
  return `${[line(head), line(head.map(() => '---')), ...shown.map(line)].join('\n')}${rest}`;
}

const e = escapeMarkdown;

/** Same bundle, same bytes. */
export function renderMarkdown(outcome: ReportBundle): string {
  const { verdict: v, missing, unanswered } = outcome;
  const counted = v.checks.filter((c) => !c.informational);
  const bad = v.checks.filter((c) => c.verdict !== 'pass');
  const informational = new Set(v.checks.filter((c) => c.informational).map((c) => c.id));
  const told = v.alerts.filter((a) => a.expect === 'must-fire' || !stayedSilent(a));
  const silent = v.alerts.length - told.length;
  const parts: string[] = [
    `## ${SIGN[v.verdict]} ${v.verdict.toUpperCase()}: ${e(v.run.scenario)}`,
    `**${e(v.run.title)}**`,
    v.clauses
      ? v.clauses.map(({ says, verdict }) => `> ${SIGN[verdict]} ${e(says)}`).join('  \n')
      : v.run.claim && `> ${e(v.run.claim)}`,
    v.reasons
      .slice(0, 10)
      .map((reason) => `- ${e(reason)}`)
      .join('\n'),
    missing.length > 0
      ? `Evidence that is not here:\n\n${missing.map((m) => `- ${e(m.file)}: ${e(m.reason)}`).join('\n')}`
      : '',
    `${counted.filter((c) => c.verdict === 'pass').length} of ${plural(counted.length, 'check')} passed · target ${e(v.run.target)} · profile ${e(v.run.profile)} · took ${duration(v.run.durationMs)} · seed ${v.run.seed} · time scale ${number(v.run.timeScale)}${v.run.loadScale ? ` · load: ${e(loadScaleText(v.run.loadScale))}` : ''}${v.run.defects.length > 0 ? ` · defects on: ${e(v.run.defects.join(', '))}` : ''}`,
    bad.length > 0 ? '### Not passed' : '',
    table(
      ['', 'Check', 'What was found'],
      bad.map((c) => [
        `${SIGN[c.verdict]} ${c.verdict}`,
        `${e(c.title)}${c.informational ? ' (for information)' : ''}`,
        e(c.message),
      ]),
    ),
    v.objectives.length > 0 ? '### Objectives' : '',
    table(
      ['', 'Objective', 'Phase', 'Measured', 'Bound', 'Budget spent'],
      v.objectives.map((o) => [
        SIGN[o.verdict],
        `${e(o.title)}${informational.has(o.checkId) ? ' (for information)' : ''}`,
        e(o.phase),
        measuredText(o, v, outcome.plan),
        `${OPERATOR[o.op] ?? e(o.op)} ${exact(o.target, unitOf(o, outcome.plan))}`,
        o.budget ? `${number(o.budget.spent)} of ${number(o.budget.allowed)}` : '–',
      ]),
    ),
    unanswered.rows.length > 0 ? '### Requests without an answer' : '',
    table(
      ['Reason', 'Stream', 'Phase', 'Requests'],
      unanswered.rows.map((r) => [e(r.reason), e(r.stream), e(r.phase), number(r.requests)]),
    ),
    v.faults.length > 0 ? '### Faults' : '',
    table(
      ['', 'Fault', 'Kind', 'Injected', 'Effect seen', 'Reverted', 'Effect gone'],
      v.faults.map((f) => [
        SIGN[f.verdict],
        e(f.name),
        e(f.kind),
        ...[f.injectedMs, f.effectSeenMs, f.revertedMs, f.effectGoneMs].map(duration),
      ]),
    ),
    v.alerts.length > 0 ? '### Alerts' : '',
    table(
      ['', 'Alert', 'Promise', 'Detected', 'Delivered', 'Cleared'],
      told.map((a) => [
        SIGN[a.verdict],
        e(a.alert),
        a.expect.replaceAll('-', ' '),
        ...[a.detectionMs, a.deliveryMs, a.clearMs].map(duration),
      ]),
    ),
    silent > 0 ? `${plural(silent, 'other alert')} stayed silent.` : '',
    v.recovery.length > 0 ? '### Recovery' : '',
    table(
      ['', 'What', 'From', 'Took', 'Objective'],
      v.recovery.map((r) => [
        SIGN[r.verdict],
        e(r.name),
        `${r.from} of ${e(r.fault)}`,
        r.tookMs === null && r.censoredAtMs !== null
          ? `longer than ${duration(r.censoredAtMs)}`
          : duration(r.tookMs),
        duration(r.rtoMs),
      ]),
    ),
    v.ledger.length > 0 ? '### Ledger of events' : '',
    table(
      ['Phase', 'Attempted', 'Accepted', 'Processed', 'Lost', 'Failed', 'Duplicated', 'Unexpected'],
      v.ledger.map((l) => [
        e(l.phase),
        ...[l.attempted, l.accepted, l.processed, l.lost, l.failed, l.duplicated, l.unexpected].map(number),
      ]),
    ),
    `**Next:** ${nextSteps(outcome).join(' ')}`,
    `Run ${e(v.run.id)}. The whole report is \`report.html\` in the bundle.`,
  ];
  const text = `${parts.filter(Boolean).join('\n\n')}\n`;
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}\n\n… cut; see report.html.\n`;
}
