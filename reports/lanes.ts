/** The bars of the timeline: what the faults did, what the alerts said, and single instants worth a mark. */
import type { JournalEntry } from '../evidence/journal.ts';
import type { AlertResult, VerdictDocument } from '../evidence/verdict.ts';
import type { TimelineSource } from './timeline.ts';

export interface Bar {
  kind: 'injected' | 'effect' | 'pending' | 'firing';
  fromMs: number;
  toMs: number;
}
export interface Mark {
  kind: 'seen' | 'gone' | 'firing' | 'resolved' | 'event';
  t: number;
  text: string;
}
export interface Lane {
  name: string;
  /** What was promised, e.g. `must fire`; the kind for a fault. */
  note: string;
  bars: Bar[];
  marks: Mark[];
}

export function faultLanes({ plan, verdict, journal }: TimelineSource, endMs: number): Lane[] {
  const at = (fault: string, type: JournalEntry['type']) =>
    journal.find((e) => e.type === type && 'fault' in e && e.fault === fault)?.t ?? null;
  const known = verdict.faults.length > 0 ? verdict.faults : (plan?.faults ?? []);
  return known.map(({ name, kind }) => {
    const judged = verdict.faults.find((f) => f.name === name);
    const injected = judged?.injectedMs ?? at(name, 'fault.injected') ?? at(name, 'fault.injecting');
    const seen = judged?.effectSeenMs ?? at(name, 'fault.effect-seen');
    const reverted = judged?.revertedMs ?? at(name, 'fault.reverted');
    const gone = judged?.effectGoneMs ?? at(name, 'fault.effect-gone');
    const bars: Bar[] = [];
    if (injected !== null) bars.push({ kind: 'injected', fromMs: injected, toMs: reverted ?? endMs });
    if (seen !== null) bars.push({ kind: 'effect', fromMs: seen, toMs: gone ?? endMs });
    const marks: Mark[] = [];
    if (seen !== null) marks.push({ kind: 'seen', t: seen, text: 'effect seen' });
    if (gone !== null) marks.push({ kind: 'gone', t: gone, text: 'effect gone' });
    return { name, note: kind, bars, marks };
  });
}

/**
 * Nothing moved, and somebody looked: only of a pass is it known. Before the run's origin the target was starting: what its
 * alerts said then is no part of the run.
 */
export const stayedSilent = (a: AlertResult) => a.verdict === 'pass' && !moved(a);

const inRun = (span: { toMs: number | null }) => span.toMs === null || span.toMs > 0;
const moved = (a: AlertResult) =>
  a.pending.some(inRun) || a.firing.some(inRun) || a.delivered.some((d) => d.t >= 0);

/**
 * Lanes for the alerts that moved or had to; the names of those that stayed silent, and of those of which nobody knows. Falls
 * back on alerts.ndjson.
 */
export function alertLanes(
  { verdict, alerts }: TimelineSource,
  endMs: number,
): { alerts: Lane[]; silent: string[]; unseen: string[] } {
  const lanes: Lane[] = [];
  const silent: string[] = [];
  const unseen: string[] = [];
  for (const a of verdict.alerts) {
    if (a.expect !== 'must-fire' && !moved(a)) {
      (stayedSilent(a) ? silent : unseen).push(a.alert);
      continue;
    }
    const bar = (kind: Bar['kind']) => (span: { fromMs: number; toMs: number | null }) => ({
      kind,
      fromMs: span.fromMs,
      toMs: span.toMs ?? endMs,
    });
    const same = lanes.find((lane) => lane.name === a.alert);
    if (same) {
      // One alert with several contracts is one bar: Prometheus has one state for all of them.
      same.note += `, ${a.expect.replaceAll('-', ' ')}`;
      continue;
    }
    lanes.push({
      name: a.alert,
      note: a.expect.replaceAll('-', ' '),
      bars: [...a.pending.filter(inRun).map(bar('pending')), ...a.firing.filter(inRun).map(bar('firing'))],
      marks: a.delivered
        .filter((d) => d.t >= 0)
        .map((d) => ({ kind: d.state, t: d.t, text: `${d.state} delivered` })),
    });
  }
  if (verdict.alerts.length > 0) return { alerts: lanes, silent, unseen };

  for (const [name, changes] of Map.groupBy(alerts, (c) => c.alert)) {
    const lane: Lane = { name, note: 'not judged', bars: [], marks: [] };
    const open = new Map<string, Bar>();
    for (const change of changes) {
      if (change.source === 'receiver') {
        lane.marks.push({ kind: change.state, t: change.t, text: `${change.state} delivered` });
        continue;
      }
      const key = JSON.stringify(change.labels);
      const before = open.get(key);
      if (before) before.toMs = change.t;
      open.delete(key);
      if (change.state === 'inactive') continue;
      const bar: Bar = { kind: change.state, fromMs: change.t, toMs: endMs };
      open.set(key, bar);
      lane.bars.push(bar);
    }
    lanes.push(lane);
  }
  return { alerts: lanes, silent, unseen };
}

/** Instants of the journal that explain a curve: components that went and came, aborts, the drain, recoveries. */
export function marksOf(verdict: VerdictDocument, journal: JournalEntry[]): Mark[] {
  const marks: Mark[] = [];
  const add = (t: number, text: string) => marks.push({ kind: 'event', t, text });
  const ended = journal.find((e) => e.type === 'drain.ended')?.t ?? Infinity;
  for (const e of journal) {
    // What exits as expected after the drain is the target being taken down.
    if (e.type === 'component.exited' && e.expected && e.t > ended) continue;
    if (e.type === 'component.exited') add(e.t, `${e.component} exited (${e.signal ?? `code ${e.code}`})`);
    else if (e.type === 'abort') add(e.t, `abort: ${e.condition}`);
    else if (e.type === 'drain.started') add(e.t, `drain: ${e.outstanding} outstanding`);
    else if (e.type === 'drain.ended')
      add(e.t, e.timedOut ? `drain timed out: ${e.outstanding} left` : 'drained');
    else if (e.type === 'run.ended' && e.outcome !== 'completed') add(e.t, `run ${e.outcome}`);
  }
  const injecting = (fault: string) =>
    journal.find((e) => e.type === 'fault.injecting' && e.fault === fault)?.t;
  for (const r of verdict.recovery) {
    const fault = verdict.faults.find((f) => f.name === r.fault);
    const from = r.from === 'revert' ? fault?.revertedMs : injecting(r.fault);
    if (r.tookMs !== null && from != null) add(from + r.tookMs, `recovered: ${r.name}`);
  }
  return marks.sort((a, b) => a.t - b.t);
}
