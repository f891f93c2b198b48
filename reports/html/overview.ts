/** One page over several runs: each run's verdict, why, and the way to its report. */
import { join, relative, sep } from 'node:path';
import { FILES } from '../../evidence/tables.ts';
import { Verdict } from '../../evidence/verdict.ts';
import type { Outcome } from '../bundle.ts';
import { duration, loadScaleText, number, plural } from '../format.ts';
import { badge, html, table } from './markup.ts';
import { document } from './page.ts';

const href = (from: string, outcome: Outcome) =>
  relative(from, join(outcome.dir, FILES.report)).split(sep).map(encodeURIComponent).join('/');

/** @param from directory in which the page will be; links are relative to it. Same bundles, same bytes. */
export function renderOverview(outcomes: Outcome[], from: string): string {
  const count = (verdict: Verdict) => outcomes.filter((o) => o.verdict.verdict === verdict).length;
  const worst =
    (['error', 'fail', 'unknown'] as const).find((v) => count(v) > 0) ??
    (outcomes.length > 0 ? 'pass' : 'unknown');
  const told = Verdict.options.filter((v) => count(v) > 0).map((v) => `${number(count(v))} ${v}`);
  const rows = outcomes.map((o) => {
    const v = o.verdict;
    const counted = v.checks.filter((c) => !c.informational);
    return [
      html`<a class="nowrap" href="${href(from, o)}">${v.run.scenario}</a><span class="sub">${v.run.title}</span>`,
      badge(v.verdict, true),
      v.reasons.length > 0
        ? html`${v.reasons[0]}${v.reasons.length > 1 ? html`<span class="sub">and ${number(v.reasons.length - 1)} more</span>` : ''}`
        : html`<span class="muted">${v.run.claim}</span>`,
      `${number(counted.filter((c) => c.verdict === 'pass').length)} / ${number(counted.length)}`,
      duration(v.run.durationMs),
      html`${v.run.target}${v.run.defects.length > 0 ? html`<span class="sub">defects on: ${v.run.defects.join(', ')}</span>` : ''}${v.run.loadScale ? html`<span class="sub">load: ${loadScaleText(v.run.loadScale)}</span>` : ''}`,
      html`<span class="nowrap">${v.run.startedAt.slice(0, 19).replace('T', ' ') || '–'}</span><span class="sub">${o.id}</span>`,
    ];
  });
  const body = html`<div class="top"><span class="brand brand-alone">Faultline</span></div>
<main>
<header class="hero v-${worst}"><p class="scenario">${plural(outcomes.length, 'run')}</p><h1>${told.join(', ') || 'No run'}</h1></header>
<section aria-label="Runs">${table('Runs', [{ title: 'Scenario' }, { title: 'Verdict' }, { title: 'Why, or the claim that held' }, { title: 'Checks', numeric: true }, { title: 'Took', numeric: true }, { title: 'Target' }, { title: 'Started (UTC)' }], rows)}</section>
</main>
<footer class="muted">Written by Faultline. This file loads nothing from a network.</footer>`;
  return document(`Faultline: ${told.join(', ') || 'no run'}`, body);
}
