/** What the faults did, and what each alert did while each fault was on. */
import type { AlertResult, FaultResult } from '../../evidence/verdict.ts';
import type { ReportBundle } from '../bundle.ts';
import { duration, plural } from '../format.ts';
import { stayedSilent } from '../lanes.ts';
import { type Anchors, badge, html, linked, type Markup, section, showWindow, table } from './markup.ts';

const overlaps = (a: AlertResult, f: FaultResult) =>
  f.injectedMs !== null &&
  a.firing.some(
    (s) =>
      s.fromMs <= (f.effectGoneMs ?? f.revertedMs ?? Infinity) &&
      (s.toMs ?? Infinity) >= Number(f.injectedMs),
  );

/** One cell of the matrix: what was promised of this alert for this fault, and what it did while the fault was on. */
function cell(a: AlertResult, f: FaultResult): Markup {
  const fired = overlaps(a, f);
  const did = fired ? 'fired' : a.verdict === 'unknown' ? 'not seen' : 'silent';
  const expected =
    a.expect === 'must-not-fire'
      ? 'must not fire'
      : a.fault === f.name || a.fault === null
        ? a.expect.replace('-', ' ')
        : 'no promise';
  return html`<span class="cell ${fired ? 'fired' : 'silent'}"><span aria-hidden="true">${fired ? '●' : '○'}</span> ${did}</span><span class="sub">${expected}</span>`;
}

export function faultsAndAlerts({ verdict: v, plan }: ReportBundle, anchors: Anchors): Markup {
  const noted = (f: FaultResult) => plan?.faults.find((p) => p.name === f.name);
  const faults =
    v.faults.length === 0
      ? html`<p class="muted">No fault was planned.</p>`
      : table(
          'Faults',
          [
            { title: 'Fault' },
            { title: 'Verdict' },
            { title: 'Injected', numeric: true },
            { title: 'Effect seen', numeric: true },
            { title: 'Reverted', numeric: true },
            { title: 'Effect gone', numeric: true },
            { title: 'Leak audit' },
            { title: 'Undo' },
          ],
          v.faults.map((f) => [
            html`${f.name}<span class="sub">${f.kind}</span>`,
            badge(f.verdict, true),
            linked(anchors, f.checkId, duration(f.injectedMs)),
            linked(
              anchors,
              f.checkId,
              f.effectSeenMs === null
                ? 'not seen'
                : f.injectedMs === null
                  ? duration(f.effectSeenMs)
                  : `+${duration(f.effectSeenMs - f.injectedMs)}`,
            ),
            duration(f.revertedMs),
            f.effectGoneMs === null
              ? 'not gone'
              : f.revertedMs === null
                ? duration(f.effectGoneMs)
                : `+${duration(f.effectGoneMs - f.revertedMs)}`,
            f.auditClean === null ? 'not done' : f.auditClean ? '✓ clean' : '✗ leaks',
            html`${noted(f)?.undo ?? '–'}${f.detail ? html`<span class="sub">${f.detail}</span>` : ''}`,
          ]),
        );
  const moved = (a: AlertResult) =>
    a.expect === 'must-fire'
      ? 0
      : a.firing.length > 0
        ? 1
        : a.verdict === 'pass'
          ? stayedSilent(a)
            ? 4
            : 3
          : 2;
  const sorted = [...v.alerts].sort((a, b) => moved(a) - moved(b));
  const dash = html`<span class="muted">–</span>`;
  const rowOf = (a: AlertResult) => [
    html`${a.alert}<span class="sub">${a.expect.replaceAll('-', ' ')}</span>`,
    badge(a.verdict, true),
    ...v.faults.map((f) => cell(a, f)),
    ...[a.detectionMs, a.deliveryMs, a.clearMs].map((ms) =>
      ms === null ? dash : linked(anchors, a.checkId, duration(ms)),
    ),
    a.firing.length === 0
      ? linked(
          anchors,
          a.checkId,
          a.pending.length > 0 ? 'pending only' : a.verdict === 'unknown' ? 'not seen' : 'never',
        )
      : a.firing.map(
          (s, i) =>
            html`${i > 0 ? ', ' : ''}${showWindow(s.fromMs, s.toMs ?? v.run.durationMs, `${duration(s.fromMs)} to ${s.toMs === null ? 'the end' : duration(s.toMs)}`)}`,
        ),
  ];
  const matrixOf = (caption: string, alerts: AlertResult[]) =>
    table(
      caption,
      [
        { title: 'Alert' },
        { title: 'Verdict' },
        ...v.faults.map((f) => ({ title: html`While <em>${f.name}</em>` })),
        { title: 'Detected', numeric: true },
        { title: 'Delivered', numeric: true },
        { title: 'Cleared', numeric: true },
        { title: 'Firing' },
      ],
      alerts.map(rowOf),
    );
  // What kept still and was meant to is one line, so that the rest can be seen.
  const quiet = sorted.filter((a) => moved(a) === 4);
  const loud = sorted.filter((a) => moved(a) !== 4);
  const matrix =
    sorted.length === 0
      ? html`<p class="muted">No alert was judged.</p>`
      : html`${loud.length > 0 ? matrixOf('Alerts by fault', loud) : ''}${
          quiet.length > 0
            ? html`<details><summary>${plural(quiet.length, loud.length > 0 ? 'other alert' : 'alert')} stayed silent, as promised</summary>${matrixOf('Silent alerts by fault', quiet)}</details>`
            : ''
        }`;
  return section(
    'alerts',
    'Faults and alerts',
    'Instants count from the start of the run. Detected and delivered count from the effect seen; cleared from the effect gone.',
    html`${faults}<h3>Alerts</h3>${matrix}`,
  );
}
