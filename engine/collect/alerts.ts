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
 * a gap of more than two evaluations is an end (one late evaluation is not): where Prometheus evaluated rules in it, and found the alert
 * off. Where it did not, nobody knows, and what was on before is taken to be on still.
 * @param heartbeat a sample for each instant at which it did
 * @param times `endWallMs`: when ALERTS was read, ms since the epoch
 */
export function prometheusChanges(
  series: PromSeries[],
  heartbeat: PromSeries[],
  { evaluationMs, endWallMs }: { evaluationMs: number; endWallMs: number },
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
  const beats = heartbeat
    .flatMap(({ samples }) => samples.map(({ wallMs }) => wallMs - clock.originWallMs))
    .sort((a, b) => a - b);
  const offAfter = (last: number, next: number) => offWithin(last, next, beats, evaluationMs);
  for (const { alert, labels, states } of instances.values()) {
    states.sort((a, b) => a.t - b.t || (a.state === 'pending' ? -1 : 1));
    let current: 'pending' | 'firing' | 'inactive' = 'inactive';
    let last = Number.NEGATIVE_INFINITY;
    for (const { t, state } of states) {
      const off = current === 'inactive' ? undefined : offAfter(last, t);
      if (off !== undefined) {
        changes.push({ source: 'prometheus', t: round(off), alert, labels, state: 'inactive' });
        current = 'inactive';
      }
      if (state !== current) changes.push({ source: 'prometheus', t: round(t), alert, labels, state });
      current = state;
      last = t;
    }
    const off = current === 'inactive' ? undefined : offAfter(last, endWallMs - clock.originWallMs);
    if (off !== undefined)
      changes.push({ source: 'prometheus', t: round(off), alert, labels, state: 'inactive' });
  }
  return changes;
}

/**
 * Each rule group has instants of its own, one an interval, so between two beats in a row lies one of the alert's group; after a single beat
 * Prometheus may have stood still before it got there. Source: Prometheus's rules/group.go, EvalTimestamp.
 * @returns the first at which the alert was evaluated and was off; undefined: there is none
 */
function offWithin(
  last: number,
  next: number,
  beats: readonly number[],
  evaluationMs: number,
): number | undefined {
  if (next - last <= 2.5 * evaluationMs) return undefined;
  const within = beats.filter((t) => t > last && t < next);
  const first = within.find((t, i) => (within[i + 1] ?? Number.POSITIVE_INFINITY) - t <= 2.5 * evaluationMs);
  // A part of a millionth: instants since the epoch are not exact in a double.
  return first === undefined
    ? undefined
    : last + Math.ceil((first - last) / evaluationMs - 1e-6) * evaluationMs;
}

export function receiverChanges(deliveries: Delivery[], clock: RunClock): AlertChange[] {
  return deliveries.map(({ at, status, labels, annotations, startsAtWallMs }) => {
    const { alertname = '', ...rest } = labels;
    const t = round(clock.now() - (performance.now() - at));
    // What is no instant, and Go's zero time, say nothing: it began at the latest when it came.
    const startsAt = startsAtWallMs > 0 ? round(startsAtWallMs - clock.originWallMs) : t;
    return { source: 'receiver', t, alert: alertname, labels: rest, annotations, state: status, startsAt };
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
