/** Alert states as changes: from the ALERTS series at every evaluation, and from what the receiver got. */
import { z } from 'zod';
import { NoAnswerError } from '../../base/errors.ts';
import type { AlertChange } from '../../evidence/alerts.ts';
import type { RunClock } from '../clock.ts';
import type { Delivery } from '../webhook.ts';
import type { PromSeries } from './prometheus.ts';

type PrometheusChange = Extract<AlertChange, { source: 'prometheus' }>;

/**
 * Changes of every alert instance. ALERTS has one sample an evaluation for as long as the state holds and then ends, so
 * a gap of more than two evaluations is an end (one late evaluation is not). `endWallMs`: when ALERTS was read.
 */
export function prometheusChanges(
  series: PromSeries[],
  evaluationMs: number,
  endWallMs: number,
  clock: RunClock,
): PrometheusChange[] {
  const instances = new Map<
    string,
    { alert: string; labels: Record<string, string>; states: { t: number; state: 'pending' | 'firing' }[] }
  >();
  for (const { labels, samples } of series) {
    const { __name__: _name, alertname = '', alertstate, ...rest } = labels;
    if (alertstate !== 'pending' && alertstate !== 'firing') continue;
    const key = JSON.stringify([alertname, Object.entries(rest).sort()]);
    const instance = instances.get(key) ?? { alert: alertname, labels: rest, states: [] };
    for (const { wallMs } of samples)
      instance.states.push({ t: wallMs - clock.originWallMs, state: alertstate });
    instances.set(key, instance);
  }
  const changes: PrometheusChange[] = [];
  const end = endWallMs - clock.originWallMs;
  for (const { alert, labels, states } of instances.values()) {
    states.sort((a, b) => a.t - b.t || (a.state === 'pending' ? -1 : 1));
    let current: 'pending' | 'firing' | 'inactive' = 'inactive';
    let last = Number.NEGATIVE_INFINITY;
    for (const { t, state } of states) {
      if (current !== 'inactive' && t - last > 2.5 * evaluationMs) {
        changes.push({
          source: 'prometheus',
          t: round(last + evaluationMs),
          alert,
          labels,
          state: 'inactive',
        });
        current = 'inactive';
      }
      if (state !== current) changes.push({ source: 'prometheus', t: round(t), alert, labels, state });
      current = state;
      last = t;
    }
    if (current !== 'inactive' && last < end - 2.5 * evaluationMs)
      changes.push({ source: 'prometheus', t: round(last + evaluationMs), alert, labels, state: 'inactive' });
  }
  return changes;
}

export function receiverChanges(deliveries: Delivery[], clock: RunClock): AlertChange[] {
  return deliveries.map(({ at, status, labels, annotations, startsAtWallMs }) => {
    const { alertname = '', ...rest } = labels;
    return {
      source: 'receiver',
      t: round(clock.now() - (performance.now() - at)),
      alert: alertname,
      labels: rest,
      annotations,
      state: status,
      startsAt: round(startsAtWallMs - clock.originWallMs),
    };
  });
}

const AlertmanagerStatus = z.object({ uptime: z.iso.datetime({ offset: true }) });

/** When the process of Alertmanager was started, milliseconds since the epoch: what its API v2 calls `uptime`. @throws NoAnswerError when another try may help */
export async function alertmanagerStartedWallMs(url: string): Promise<number> {
  const answer = await fetch(`${url}/api/v2/status`, { signal: AbortSignal.timeout(10_000) })
    .then(async (response) => (response.ok ? ((await response.json()) as unknown) : response.status))
    .catch((cause: Error) => {
      throw new NoAnswerError(`Alertmanager did not answer: ${cause.message}`, { cause });
    });
  if (typeof answer === 'number') throw new NoAnswerError(`Alertmanager answered ${answer}`);
  return Date.parse(AlertmanagerStatus.parse(answer).uptime);
}

function round(t: number): number {
  return Math.round(t * 1000) / 1000;
}
