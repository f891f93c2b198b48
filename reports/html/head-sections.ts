/** The top of the report: verdict, claim, reasons, next steps, the few numbers that matter, and what ran. */
import { type CoreMetrics, EXIT_CODE } from '../../evidence/verdict.ts';
import { nextSteps } from '../advice.ts';
import type { ReportBundle } from '../bundle.ts';
import { duration, loadScaleText, number, plural, quantity, SIGN, unanswered } from '../format.ts';
import { goneCheck } from '../gone.ts';
import { type Anchors, codeBlock, html, linked, type Markup, section, table } from './markup.ts';

const WORD = { pass: 'Pass', fail: 'Fail', unknown: 'Unknown', error: 'Error' } as const;
const MEANING = {
  pass: 'The claim held, with evidence for every part of it.',
  fail: 'The claim did not hold.',
  unknown: 'The evidence does not suffice: neither proven nor disproven.',
  error: 'The harness itself failed. This says nothing about the platform.',
} as const;

/** `code` in advice is marked with backticks. */
const withCode = (text: string) =>
  text.split('`').map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : piece));

/** More checks than this behind one clause are counted, not named. */
const MAX_NAMED = 4;

/** Clause by clause where the scenario says what judges each; otherwise the plain sentence. */
function claim({ verdict: v }: ReportBundle, anchors: Anchors): Markup {
  if (!v.run.claim) return html``;
  const clauses = v.clauses?.map(({ says, verdict, checkIds }) => {
    const named = checkIds
      .slice(0, MAX_NAMED)
      .map((id, i) => html`${i > 0 ? ', ' : ''}${linked(anchors, id, id)}`);
    const more = checkIds.length - named.length;
    const by =
      checkIds.length > 0
        ? html`${named}${more > 0 ? ` and ${number(more)} more` : ''}`
        : 'nothing judged it';
    return html`<li class="v-${verdict}"><span class="sign" aria-hidden="true">${SIGN[verdict]}</span><span class="sr">${verdict}: </span><span>${says}<span class="sub">${by}</span></span></li>`;
  });
  return html`<div class="claim"><h2>Claim</h2>${clauses ? html`<ul>${clauses}</ul>` : html`<p>${v.run.claim}</p>`}</div>`;
}

export function hero(bundle: ReportBundle, anchors: Anchors): Markup {
  const { verdict: v } = bundle;
  const steps = nextSteps(bundle);
  const shown = v.reasons.slice(0, 8);
  return html`<header class="hero v-${v.verdict}">
<div class="stamp"><span class="sign" aria-hidden="true">${SIGN[v.verdict]}</span>
<div><p class="scenario">${v.run.scenario}</p><h1><span class="word">${WORD[v.verdict]}</span><span class="sr">: </span><span class="title">${v.run.title}</span></h1>
<p class="meaning">${v.verdict === 'pass' && goneCheck(bundle) ? 'The judge said so, from evidence that is not all here any more.' : MEANING[v.verdict]}</p></div></div>
${claim(bundle, anchors)}
<div class="why">
${shown.length > 0 ? html`<div><h2>Why</h2><ul>${shown.map((r) => html`<li>${r}</li>`)}${v.reasons.length > shown.length ? html`<li>and ${number(v.reasons.length - shown.length)} more, under “Checks”</li>` : ''}</ul></div>` : ''}
<div><h2>What to do next</h2><ul>${steps.map((s) => html`<li>${withCode(s)}</li>`)}</ul></div>
</div>
</header>`;
}

export function missingBanner({ missing }: ReportBundle): Markup {
  if (missing.length === 0) return html``;
  return html`<aside class="missing" aria-labelledby="missing-h"><h2 id="missing-h">Evidence that is not here</h2>
<ul>${missing.map((m) => html`<li><code>${m.file}</code>: ${m.reason}</li>`)}</ul></aside>`;
}

/** The numbers that a reader looks for first; each leads to its section. */
export function tiles({ verdict: v }: ReportBundle): Markup {
  const items: { label: string; value: string; note: string; href: string }[] = [];
  const counted = v.checks.filter((c) => !c.informational);
  const passed = counted.filter((c) => c.verdict === 'pass').length;
  if (counted.length > 0)
    items.push({
      label: 'Checks passed',
      value: `${passed} / ${counted.length}`,
      note: `${plural(v.checks.length - counted.length, 'more', 'more')} for information`,
      href: '#checks',
    });
  const requests = v.core.reduce((sum, c) => sum + c.requests, 0);
  const failed = v.core.reduce((sum, c) => sum + c.failed, 0);
  const unsent = v.core.reduce((sum, c) => sum + c.unsent, 0);
  if (v.core.length > 0)
    items.push({
      label: 'Requests',
      value: number(requests),
      note: `${number(failed)} failed, ${number(unsent)} not sent`,
      href: '#core',
    });
  const p95 = (c: CoreMetrics) =>
    unanswered(c, c.responseTime.p95) ? Infinity : (c.responseTime.p95 ?? -Infinity);
  const worst = v.core.toSorted((a, b) => p95(b) - p95(a))[0];
  if (worst && p95(worst) !== -Infinity)
    items.push({
      label: 'Worst p95',
      value: p95(worst) === Infinity ? 'no answer' : quantity(worst.responseTime.p95, 's'),
      note: `${worst.stream}, ${worst.phase}`,
      href: '#core',
    });
  const alert = v.alerts.find((a) => a.expect === 'must-fire');
  if (alert)
    items.push({
      label: 'Detected after',
      value: duration(alert.detectionMs),
      note: alert.alert,
      href: '#alerts',
    });
  const slowest = [...v.recovery].sort((a, b) => (b.tookMs ?? Infinity) - (a.tookMs ?? Infinity))[0];
  if (slowest)
    items.push({
      label: 'Recovered after',
      value:
        slowest.tookMs === null
          ? slowest.censoredAtMs === null
            ? '–'
            : `> ${duration(slowest.censoredAtMs)}`
          : duration(slowest.tookMs),
      note: `objective ${duration(slowest.rtoMs)}`,
      href: '#recovery',
    });
  const whole = v.ledger.some((l) => l.phase === 'run');
  const sum = (key: 'lost' | 'accepted') =>
    v.ledger.reduce((total, l) => total + (whole && l.phase !== 'run' ? 0 : l[key]), 0);
  if (v.ledger.length > 0)
    items.push({
      label: 'Events lost',
      value: number(sum('lost')),
      note: `of ${number(sum('accepted'))} accepted`,
      href: '#ledger',
    });
  if (items.length === 0) return html``;
  return html`<ul class="tiles" aria-label="Key numbers">${items.map((t) => html`<li><a href="${t.href}"><span class="label">${t.label}</span><span class="value">${t.value}</span><span class="note">${t.note}</span></a></li>`)}</ul>`;
}

export function whatRan({ plan, journal, verdict: v }: ReportBundle): Markup {
  const facts: [string, Markup | string][] = [
    ['Target', v.run.target],
    ['Profile', v.run.profile],
    [
      'Time scale',
      v.run.timeScale === 1
        ? '1 (real time)'
        : `${number(v.run.timeScale)}: rule durations, ranges, scrape and evaluation intervals and phases are divided by ${number(v.run.timeScale)}`,
    ],
    ...(v.run.loadScale
      ? [['Load', `${loadScaleText(v.run.loadScale)} of the scenario's rates`] as [string, string]]
      : []),
    ...(plan?.load.pods === undefined
      ? []
      : [['Load generator', `k6 in ${plural(plan.load.pods, 'pod')} of the cluster`] as [string, string]]),
    ['Seed', String(v.run.seed)],
    ['Defects switched on', v.run.defects.length > 0 ? v.run.defects.join(', ') : 'none'],
    ['Started', v.run.startedAt || '–'],
    ['Took', duration(v.run.durationMs)],
    ['Outcome', v.run.outcomeReason ? `${v.run.outcome}: ${v.run.outcomeReason}` : v.run.outcome],
    ['Run', v.run.id],
  ];
  const list = (entries: [string, string | number][]) =>
    html`<dl class="kv">${entries.map(([k, x]) => html`<dt>${k}</dt><dd>${String(x)}</dd>`)}</dl>`;
  return section(
    'ran',
    'What ran',
    '',
    html`<dl class="kv main">${facts.map(([k, x]) => html`<dt>${k}</dt><dd>${x}</dd>`)}</dl>
${
  plan
    ? html`<div class="cols"><div><h3>Target</h3>${list(Object.entries(plan.target.detail))}</div><div><h3>Versions</h3>${list(Object.entries(plan.versions))}</div><div><h3>Host</h3>${list(Object.entries(plan.host))}</div></div>
<details><summary>Load: ${plural(plan.streams.length, 'stream')}</summary>${plan.streams.map((s) => html`<p><strong>${s.name}</strong>: ${s.segments.map((g, i) => html`${i > 0 ? '; ' : ''}${g.phase} ${number(g.rate)}/s (${number(g.count)} requests)`)}</p>`)}</details>
<details><summary>Scenario file <code>${plan.scenario.file}</code></summary><p class="muted">sha256 ${plan.scenario.sha256}</p>${codeBlock(plan.scenario.text)}</details>`
    : html`<p class="muted">There is no plan, so versions, host and load are not known.</p>`
}${imagesThatRan(journal)}`,
  );
}

/** As the nodes' runtimes told it; a target without containers has none. */
function imagesThatRan(journal: ReportBundle['journal']): Markup {
  const rows = journal
    .filter((entry) => entry.type === 'image.ran')
    .toSorted((a, b) => a.component.localeCompare(b.component))
    .map(({ t, component, container, image, id }) => [
      component,
      container,
      html`<code>${image}</code><span class="sub">${id}</span>`,
      duration(t),
    ]);
  if (rows.length === 0) return html``;
  const columns = [{ title: 'Component' }, { title: 'Container' }, { title: 'Image, and what ran' }];
  return html`<details><summary>${plural(rows.length, 'image')} ran</summary>${table('Images that ran', [...columns, { title: 'First at', numeric: true }], rows)}<p class="muted">Images of functions are made in the run: the ledger asks the registry for each.</p></details>`;
}

/** Needs no naming. */
const DEFAULT_PROFILE = 'reference';
/** A plan has a profile's name and not its file; of these the name is enough. Source: targets/profiles. */
const SHIPPED_PROFILES = [DEFAULT_PROFILE, 'knative-lambda-operator'];

/** One argument for a POSIX shell. */
const argument = (text: string) =>
  /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

export function again({ plan, verdict: v }: ReportBundle): Markup {
  const run = [
    'faultline',
    'run',
    plan?.scenario.file ?? v.run.scenario,
    '--target',
    v.run.target,
    ...(v.run.profile === DEFAULT_PROFILE ? [] : ['--profile', v.run.profile]),
    ...(plan?.target.detail.platform === undefined ? [] : ['--platform', plan.target.detail.platform]),
    '--time-scale',
    String(v.run.timeScale),
    '--seed',
    String(v.run.seed),
    ...Object.entries(v.run.loadScale ?? {}).flatMap(([s, x]) => ['--load-scale', `${s}=${x}`]),
    ...(plan?.load.pods === undefined ? [] : ['--load-pods', String(plan.load.pods)]),
    ...v.run.defects.flatMap((d) => ['--defect', d]),
  ];
  return section(
    'again',
    'Run it again',
    '',
    html`
<p>The same run, from the start (exit code ${number(EXIT_CODE[v.verdict])} means ${v.verdict})${v.run.target === 'cluster' ? html`; <code>--cluster</code> names the file of your cluster` : ''}${SHIPPED_PROFILES.includes(v.run.profile) ? '' : html`; in place of <code>${v.run.profile}</code> put the file of your profile`}:</p>${codeBlock(run.map(argument).join(' '))}
<p>The verdict from the same evidence, in the bundle’s directory, with no platform there; the same bundle gives the same bytes. Then this page:</p>${codeBlock('faultline judge .\nfaultline report .')}
<p>Any query of this page, with the DuckDB command line, in the bundle’s directory. Queries that name a table <code>requests</code>, <code>ledger</code> or <code>series</code> need these views first:</p>
${codeBlock("CREATE VIEW requests AS FROM 'requests.parquet';\nCREATE VIEW ledger AS FROM 'ledger.parquet';\nCREATE VIEW series AS FROM 'series.parquet';")}`,
  );
}
/** Re-exported for sections that link numbers. */
export type { Anchors };
export { linked };
