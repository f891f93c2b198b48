/** Where the time of failed and slow requests went: each trace as the spans that a Jaeger or Tempo had of it. */
import type { RequestTrace } from '../../evidence/traces.ts';
import type { ReportBundle } from '../bundle.ts';
import { duration, plural } from '../format.ts';
import { html, type Markup, section, table } from './markup.ts';

const INTRO =
  'Of each stream and phase the requests that failed and the slowest, by their traces. Nothing is judged by these: they say where the time went.';
/** Of the trace's length: a shorter span would not be seen. */
const SHORTEST_BAR = 0.005;

export function traces({ traces: kept }: ReportBundle): Markup {
  if (kept.length === 0) return html``;
  const found = kept.filter(({ spans }) => spans.length > 0);
  const missing = kept.length - found.length;
  const rest =
    missing > 0
      ? html`<p class="muted">The store had no trace of ${plural(missing, 'more request')}.</p>`
      : '';
  return section('traces', 'Slow and failed requests', INTRO, html`${found.map(one)}${rest}`);
}

function one({ stream, phase, why, clientMs, traceId, spans }: RequestTrace): Markup {
  const begin = Math.min(...spans.map(({ startMs }) => startMs));
  const length = Math.max(...spans.map(({ startMs, durationMs }) => startMs + durationMs - begin), 0.001);
  const percent = (ms: number) => ((100 * ms) / length).toFixed(2);
  const rows = spans.map(({ service, name, startMs, durationMs, error }) => [
    html`${service}<span class="sub">${name}${error ? ', failed' : ''}</span>`,
    duration(durationMs),
    html`<svg class="span" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect${error ? html` class="bad"` : ''} x="${percent(startMs - begin)}" width="${percent(Math.max(durationMs, length * SHORTEST_BAR))}" height="8"></rect></svg>`,
  ]);
  const title = `${stream}, ${phase}: ${why === 'failed' ? 'failed' : 'answered'} after ${duration(clientMs)}`;
  return html`<details><summary>${title} <span class="muted">${plural(spans.length, 'span')}</span></summary>
${table(title, [{ title: 'Service and span' }, { title: 'Took', numeric: true }, { title: 'When' }], rows)}
<p class="muted">Trace <code>${traceId}</code></p></details>`;
}
