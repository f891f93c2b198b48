/** report.html: one file that loads nothing. Style and script are allowed by their hash only, so that a mistake shows. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JournalEntry } from '../../evidence/journal.ts';
import type { ReportBundle } from '../bundle.ts';
import { duration, escapeHtml, jsonForScript, plural, SIGN } from '../format.ts';
import { faultsAndAlerts } from './alert-section.ts';
import { again, hero, missingBanner, tiles, whatRan } from './head-sections.ts';
import { Anchors, codeBlock, html, Markup, section, table } from './markup.ts';
import { checks, core, ledger, objectives, recovery } from './result-sections.ts';
import { traces } from './trace-section.ts';
import { unanswered } from './unanswered-section.ts';

const asset = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** A whole document around `body`; `script` may be empty. */
export function document(
  title: string,
  body: Markup,
  options: { script?: string; data?: unknown } = {},
): string {
  const style = asset('style.css');
  const script = options.script ?? '';
  const policy = [
    "default-src 'none'",
    `style-src ${sha256(style)}`,
    `script-src ${script ? sha256(script) : "'none'"}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const data =
    options.data === undefined
      ? ''
      : `<script type="application/json" id="data">${jsonForScript(options.data)}</script>\n`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${body.text}
${data}${script ? `<script>${script}</script>\n` : ''}</body>
</html>
`;
}

function timelineSection({ timeline }: ReportBundle): Markup {
  const phases = timeline.phases
    .filter((p) => p.startMs < timeline.endMs)
    .map(
      (p) =>
        html`<button type="button" class="zoom-to" data-from="${String(p.startMs)}" data-to="${String(p.endMs)}">${p.name}</button>`,
    );
  const queries = timeline.tracks.map(
    (t) => html`<p><strong>${t.title}</strong> <span class="muted">${t.file}</span></p>${codeBlock(t.query)}`,
  );
  return section(
    'timeline',
    'Timeline',
    '',
    html`<div class="controls" role="toolbar" aria-label="Timeline"><button type="button" data-act="in" aria-label="Zoom in">+</button><button type="button" data-act="out" aria-label="Zoom out">−</button><button type="button" data-act="left" aria-label="Move left">←</button><button type="button" data-act="right" aria-label="Move right">→</button><button type="button" data-act="reset">Whole run</button>${phases}</div>
<div id="chart" tabindex="0" role="application" aria-roledescription="zoomable timeline" aria-label="Timeline of the run: phases, faults, alerts, request rate, errors, response time and platform series" aria-describedby="chart-help"></div>
<p id="chart-status" class="sr" role="status" aria-live="polite"></p>
<p id="chart-help" class="muted help">Drag to zoom, Shift and drag to move, double-click for the whole run; Ctrl and wheel zooms at the pointer. Keys: + and − zoom, ← and → move the cursor, Shift with them moves the window, 0 shows the whole run. Each point of requests and events is one bucket of ${duration(timeline.bucketMs)}.</p>
<noscript><p class="missing">The timeline needs JavaScript; the tables below have all results.</p></noscript>
${timeline.silent.length > 0 ? html`<details><summary>${plural(timeline.silent.length, 'alert')} stayed silent through the run: never pending, never delivered</summary><p class="muted">${timeline.silent.join(', ')}</p></details>` : ''}
${timeline.unseen.length > 0 ? html`<p class="muted help">Not drawn: not seen to move, but their checks do not say that they stayed silent: ${timeline.unseen.join(', ')}.</p>` : ''}
${timeline.zero.length > 0 ? html`<p class="muted help">Zero all the time, so not drawn: ${timeline.zero.join('; ')}.</p>` : ''}
<details><summary>Queries behind the curves</summary>${queries.length > 0 ? queries : html`<p class="muted">There are no curves: their evidence is missing.</p>`}</details>`,
  );
}

const MAX_JOURNAL = 400;
const SAMPLES: JournalEntry['type'][] = ['generator.sample', 'harness.sample', 'host.sample'];

function journalSection({ journal }: ReportBundle): Markup {
  const told = journal.filter((e) => !SAMPLES.includes(e.type));
  if (told.length === 0) return html``;
  const rows = told.slice(0, MAX_JOURNAL).map((e) => {
    const { seq, t, wall, type, ...rest } = e;
    const detail = Object.entries(rest).map(
      ([k, x]) => `${k}: ${typeof x === 'object' ? JSON.stringify(x) : String(x)}`,
    );
    return [String(seq), duration(t), wall.slice(11, 23), type, detail.join(' · ')];
  });
  const more =
    told.length > MAX_JOURNAL
      ? html`<p class="muted">${plural(told.length - MAX_JOURNAL, 'more entry', 'more entries')} in journal.ndjson.</p>`
      : '';
  return section(
    'journal',
    'Journal',
    '',
    html`<details><summary>${plural(told.length, 'act or observation', 'acts and observations')}</summary>${table('Journal', [{ title: '#' }, { title: 'At', numeric: true }, { title: 'UTC' }, { title: 'What' }, { title: 'Detail' }], rows)}${more}</details>`,
  );
}

const NAV = [
  ['timeline', 'Timeline'],
  ['objectives', 'Objectives'],
  ['alerts', 'Faults and alerts'],
  ['core', 'Core metrics'],
  ['unanswered', 'No answer'],
  ['traces', 'Slow and failed'],
  ['recovery', 'Recovery'],
  ['ledger', 'Ledger'],
  ['checks', 'Evidence'],
  ['ran', 'What ran'],
  ['again', 'Run it again'],
] as const;

/** The whole report of one run. Same bundle, same bytes. */
export function renderPage(bundle: ReportBundle): string {
  const { verdict: v, timeline } = bundle;
  const anchors = new Anchors(v.checks);
  const sections = new Map<string, Markup>([
    ['timeline', timelineSection(bundle)],
    ['objectives', objectives(bundle, anchors)],
    ['alerts', faultsAndAlerts(bundle, anchors)],
    ['core', core(bundle)],
    ['unanswered', unanswered(bundle)],
    ['traces', traces(bundle)],
    ['recovery', recovery(bundle, anchors)],
    ['ledger', ledger(bundle, anchors)],
    ['checks', checks(bundle, anchors)],
    ['ran', whatRan(bundle)],
    ['again', again(bundle)],
  ]);
  const present = NAV.filter(([id]) => sections.get(id)?.text);
  const body = html`<a class="skip" href="#timeline">Skip to the timeline</a>
<div class="top"><span class="brand">Faultline</span><nav aria-label="Sections"><ul>${present.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav></div>
<main>
${hero(bundle, anchors)}
${tiles(bundle)}
${missingBanner(bundle)}
${present.map(([id]) => sections.get(id))}
${journalSection(bundle)}
</main>
<footer class="muted">Written by Faultline from the bundle of run ${v.run.id}. This file loads nothing from a network.</footer>`;
  const { endMs, bucketMs, phases, faults, alerts, marks, tracks } = timeline;
  const data = {
    endMs,
    bucketMs,
    phases,
    faults,
    alerts,
    marks,
    tracks: tracks.map(({ id, title, unit, lines, more }) => ({ id, title, unit, lines, more })),
  };
  return document(`${SIGN[v.verdict]} ${v.verdict}: ${v.run.scenario}`, new Markup(body.text), {
    script: asset('client.js'),
    data,
  });
}
