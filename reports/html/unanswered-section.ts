/** Why requests had no answer. */
import type { ReportBundle } from '../bundle.ts';
import { number } from '../format.ts';
import { codeBlock, html, type Markup, section, showWindow, table } from './markup.ts';

const INTRO =
  'Sent, and no HTTP answer came: the reason is k6’s, as the client saw it. In objectives each of them is worse than any answer.';

export function unanswered({ unanswered: { rows, query } }: ReportBundle): Markup {
  if (rows.length === 0) return html``;
  const columns = [
    { title: 'Reason' },
    { title: 'Stream' },
    { title: 'Phase' },
    { title: 'Requests', numeric: true },
    { title: 'When' },
  ];
  const cells = rows.map((r) => [
    html`${r.reason}${r.code === null ? '' : html`<span class="sub">k6’s code ${String(r.code)}</span>`}`,
    r.stream,
    r.phase,
    number(r.requests),
    showWindow(r.fromMs, r.toMs),
  ]);
  return section(
    'unanswered',
    'Requests without an answer',
    INTRO,
    html`${table('Requests without an answer', columns, cells)}<details><summary>Query</summary>${codeBlock(query)}</details>`,
  );
}
