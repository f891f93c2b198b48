/** Small pieces of HTML that every section uses. Everything that goes into a template is escaped unless it is Markup. */
import type { Check, Evidence, Verdict } from '../../evidence/verdict.ts';
import { duration, escapeHtml, number, SIGN } from '../format.ts';

/** Text that is HTML already. Only this file and the templates make it. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Part = Markup | string | number | null | undefined | false | readonly Part[];
const flat = (part: Part): string => {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (Array.isArray(part)) return part.map(flat).join('');
  return escapeHtml(part);
};

/** Template that escapes what is put into it. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(strings.reduce((text, piece, i) => text + (i > 0 ? flat(parts[i - 1]) : '') + piece, ''));
}

export const badge = (verdict: Verdict, small = false) =>
  html`<span class="badge v-${verdict}${small ? ' small' : ''}"><span aria-hidden="true">${SIGN[verdict]}</span> ${verdict}</span>`;

/** Anchor of a check: letters, digits, `-`, `_`, `.`, made unique by its position. */
export class Anchors {
  readonly #of = new Map<string, string>();
  constructor(checks: Check[]) {
    for (const [i, check] of checks.entries())
      this.#of.set(check.id, `check-${i}-${check.id.replace(/[^A-Za-z0-9_.-]+/g, '-')}`);
  }
  get(checkId: string): string | undefined {
    return this.#of.get(checkId);
  }
}

/** A number that leads to its check, and so to its evidence. */
export const linked = (anchors: Anchors, checkId: string, text: Part) => {
  const anchor = anchors.get(checkId);
  return anchor
    ? html`<a class="ev" href="#${anchor}" title="Evidence: ${checkId}">${text}</a>`
    : html`${text}`;
};

export const showWindow = (fromMs: number, toMs: number, label = 'show on the timeline') =>
  html`<button type="button" class="link zoom-to" data-from="${String(fromMs)}" data-to="${String(toMs)}">${label}</button>`;

export const codeBlock = (code: string) =>
  html`<div class="code"><pre tabindex="0"><code>${code}</code></pre><button type="button" class="copy">Copy</button></div>`;

export const evidenceBlock = (e: Evidence) => html`<div class="evidence">
<p><strong>${e.file}</strong>${e.samples === undefined ? '' : html` · ${number(e.samples)} samples`}${
  e.window
    ? html` · ${e.window.phase ? html`phase ${e.window.phase}, ` : ''}${duration(e.window.fromMs)} to ${duration(e.window.toMs)} ${showWindow(e.window.fromMs, e.window.toMs)}`
    : ''
}</p>
${codeBlock(e.query)}
</div>`;

export interface Column {
  title: Part;
  numeric?: boolean;
}

/** A table in a box of its own that scrolls sideways where the page is narrow. */
export const table = (
  caption: string,
  columns: Column[],
  rows: Part[][],
) => html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption class="sr">${caption}</caption>
<thead><tr>${columns.map((c) => html`<th scope="col"${c.numeric ? html` class="n"` : ''}>${c.title}</th>`)}</tr></thead>
<tbody>${rows.map(
  (row) => html`<tr>${row.map((cell, i) =>
    i === 0
      ? html`<th scope="row">${cell}</th>`
      : html`<td${columns[i]?.numeric ? html` class="n"` : ''}>${cell}</td>`,
  )}</tr>
`,
)}</tbody></table></div>`;

export const section = (id: string, title: string, intro: Part, body: Part) =>
  html`<section id="${id}" aria-labelledby="${id}-h"><h2 id="${id}-h">${title}</h2>${intro ? html`<p class="intro">${intro}</p>` : ''}
${body}
</section>`;
