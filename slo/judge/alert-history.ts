/** What one alert did: episodes in Prometheus, notifications at the receiver. Times are ms since the run's origin. */
import type { AlertChange } from '../../evidence/alerts.ts';

export interface Interval {
  fromMs: number;
  /** Null: still so when the evidence ended. */
  toMs: number | null;
}

/** One uninterrupted time in which one instance of an alert was pending or firing. */
export interface Episode {
  activeFrom: number;
  firingFrom: number | null;
  /** Null: still active at the end. */
  to: number | null;
}

export interface Delivered {
  t: number;
  state: 'firing' | 'resolved';
  labels: Record<string, string>;
  startsAt: number;
}

export interface AlertHistory {
  episodes: Episode[];
  delivered: Delivered[];
}

export function historiesOf(changes: AlertChange[]): Map<string, AlertHistory> {
  const histories = new Map<string, AlertHistory>();
  const open = new Map<string, Episode>();
  for (const change of changes) {
    const history = histories.get(change.alert) ?? { episodes: [], delivered: [] };
    histories.set(change.alert, history);
    if (change.source === 'receiver') {
      history.delivered.push({
        t: change.t,
        state: change.state,
        labels: change.labels,
        startsAt: change.startsAt,
      });
      continue;
    }
    const key = instanceKey(change.alert, change.labels);
    const current = open.get(key);
    if (change.state === 'inactive') {
      if (current) current.to = change.t;
      open.delete(key);
      continue;
    }
    const episode = current ?? { activeFrom: change.t, firingFrom: null, to: null };
    if (!current) {
      open.set(key, episode);
      history.episodes.push(episode);
    }
    if (change.state === 'firing') episode.firingFrom ??= change.t;
  }
  return histories;
}

export function instanceKey(alert: string, labels: Record<string, string>): string {
  return JSON.stringify([alert, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))]);
}

/** Overlapping intervals joined, in the order of time. */
export function merged(intervals: Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1);
    if (last && (last.toMs === null || next.fromMs <= last.toMs)) {
      if (last.toMs !== null) last.toMs = next.toMs === null ? null : Math.max(last.toMs, next.toMs);
    } else result.push({ ...next });
  }
  return result;
}

export const firingOf = (h: AlertHistory): Interval[] =>
  merged(h.episodes.flatMap((e) => (e.firingFrom === null ? [] : [{ fromMs: e.firingFrom, toMs: e.to }])));

export const pendingOf = (h: AlertHistory): Interval[] =>
  merged(
    h.episodes
      .filter((e) => e.firingFrom !== e.activeFrom)
      .map((e) => ({ fromMs: e.activeFrom, toMs: e.firingFrom ?? e.to })),
  );

export function hasLabels(have: Record<string, string>, want: Record<string, string>): boolean {
  return Object.entries(want).every(([name, value]) => have[name] === value);
}
