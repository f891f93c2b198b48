/**
 * Builds synthetic bundles for tests: a history of a healthy platform whose builder is killed and comes back, which passes.
 * A test changes what it wants to see found, then writes the bundle.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventId } from '../base/event-id.ts';
import { intendedUs, segmentCount } from '../base/schedule.ts';
import type { AlertChange } from './alerts.ts';
import { Database } from './duckdb.ts';
import type { JournalFact } from './journal.ts';
import { BUNDLE_VERSION, type Phase, type Plan, type Stream } from './plan.ts';
import {
  FILES,
  HEARTBEAT,
  type LedgerRow,
  MONITORING_STARTED,
  type RequestRow,
  type SeriesRow,
  type TableName,
} from './tables.ts';

export type { LedgerRow, RequestRow, SeriesRow } from './tables.ts';

/** Everything that a bundle holds, to be changed freely before {@link writeBundle}. */
export interface SyntheticRun {
  plan: Plan;
  /** With `t` in ms since the origin; seq and wall are added when it is written. */
  journal: (JournalFact & { t: number })[];
  alerts: AlertChange[];
  requests: RequestRow[];
  ledger: LedgerRow[];
  series: SeriesRow[];
}

export const RUN_ID = 'r-synthetic';
const PHASES: Phase[] = [
  { name: 'baseline', startMs: 0, endMs: 20_000 },
  { name: 'inject', startMs: 20_000, endMs: 30_000 },
  { name: 'steady-fault', startMs: 30_000, endMs: 40_000 },
  { name: 'recover', startMs: 40_000, endMs: 50_000 },
  { name: 'recovered', startMs: 50_000, endMs: 60_000 },
];

/** When things happen in the passing run, ms. */
export const TIMES = {
  inject: 20_000,
  effectSeen: 20_300,
  revert: 40_000,
  reverted: 40_100,
  builderBack: 41_700,
  effectGone: 40_900,
  end: 70_000,
};

const SCRAPE_MS = 500;
const BUILD_MS = 200;

export function stream(
  name: string,
  script: string,
  rate: number,
  ledger: boolean,
  params: Stream['params'] = {},
): Stream {
  const segments = PHASES.map((p) => ({
    phase: p.name,
    startMs: p.startMs,
    endMs: p.endMs,
    rate,
    count: segmentCount(p.startMs, p.endMs, rate),
  }));
  return { name, script, segments, timeoutMs: 10_000, maxVUs: 100, ledger, params };
}

/** Rows of all requests of a stream, answered after `latencyMs`. */
export function requestRows(s: Stream, latencyMs: (n: number) => number, status = 200): RequestRow[] {
  const rows: RequestRow[] = [];
  s.segments.forEach((segment, k) => {
    for (let i = 0; i < segment.count; i++) {
      const intended_us = intendedUs(segment.startMs, segment.rate, i);
      const n = rows.length;
      const sent_us = intended_us + 300 + (n % 7) * 10;
      rows.push({
        stream: s.name,
        phase: segment.phase,
        n,
        intended_us,
        sent_us,
        done_us: sent_us + Math.round(latencyMs(n) * 1000),
        status,
        outcome: 'ok',
        cold: false,
        event_id: eventId(RUN_ID, s.name, k, i),
        error_code: null,
      });
    }
  });
  return rows;
}

/** What was sent, as the ledger sees it: each event processed once, `processedMs(sentMs)` after the origin. */
export function ledgerRows(requests: RequestRow[], processedMs: (sentMs: number) => number): LedgerRow[] {
  return requests
    .filter((r) => r.event_id !== null && r.sent_us !== null)
    .map((r, i) => ({
      event_id: r.event_id as string,
      stream: r.stream,
      phase: r.phase,
      sent_us: r.sent_us,
      answered_us: r.done_us,
      status: r.status,
      accepted: r.status !== null && r.status >= 200 && r.status < 300,
      processed: 1,
      first_processed_us: Math.round(processedMs((r.sent_us as number) / 1000) * 1000),
      result: 'completed',
      artifact: `localhost/build-${i}@sha256:${String(i).padStart(64, '0')}`,
      artifact_found: true,
    }));
}

/** A builder is killed at 20 s, started again at 40 s and back at 41.7 s; nothing is lost; BuilderServiceDown fires and clears. */
export function passingRun(): SyntheticRun {
  const builds = stream('builds', 'builds', 4, true, { prefix: 'build' });
  const invocations = stream('invocations', 'invocations', 20, false, { prefix: 'fn', functions: 2 });
  const buildRequests = requestRows(builds, () => 8, 202);
  const requests = [...buildRequests, ...requestRows(invocations, (n) => 10 + (n % 40))];
  const down = (ms: number) => ms + BUILD_MS > TIMES.inject && ms < TIMES.builderBack;
  const ledger = ledgerRows(buildRequests, (ms) =>
    down(ms) ? TIMES.builderBack + 50 + (ms % 97) : ms + BUILD_MS,
  );
  const series = seriesOf(builds, invocations, requests);
  return {
    plan: planOf([builds, invocations]),
    journal: journalOf(['builds', 'invocations']),
    alerts: alertsOf(),
    requests,
    ledger,
    series,
  };
}

function planOf(streams: Stream[]): Plan {
  const hash = '0'.repeat(64);
  return {
    version: BUNDLE_VERSION,
    run: { id: RUN_ID, seed: 7, timeScale: 30, startedAt: '2025-01-01T00:00:00.000Z', defects: [] },
    scenario: {
      name: 'builds-builder-killed',
      title: 'Builder killed',
      claim: 'Builds survive a killed builder.',
      file: 'scenarios/builds-builder-killed.yaml',
      sha256: hash,
      text: '',
    },
    target: { name: 'local', detail: {} },
    profile: { name: 'reference', sha256: hash },
    versions: {},
    host: { cores: 2 },
    slackMs: 3000,
    scrapeMs: SCRAPE_MS,
    evaluationMs: 500,
    phases: structuredClone(PHASES),
    streams,
    faults: [
      {
        name: 'kill-builder',
        kind: 'component-killed',
        params: {},
        injectMs: TIMES.inject,
        revertMs: TIMES.revert,
        effectWithinMs: 5000,
        watchEveryMs: 5000,
        undo: 'starts it again',
        probe: 'its health endpoint',
      },
    ],
    objectives: [
      {
        name: 'build-success',
        title: 'Builds succeed',
        source: 'SRE guide',
        indicator: {
          type: 'ratio',
          good: "result = 'completed'",
          total: { table: 'ledger', where: 'accepted' },
        },
        op: 'gt',
        target: 0.95,
        timeScaled: false,
        phases: ['run', 'recovered'],
        minSamples: 20,
        informational: false,
      },
      {
        name: 'function-p95',
        title: 'Function p95',
        source: 'design review',
        indicator: {
          type: 'quantile',
          statistic: 'p95',
          value: 'latency_s',
          rows: { table: 'requests', where: "stream = 'invocations'" },
          unit: 's',
        },
        op: 'lt',
        target: 5,
        timeScaled: false,
        phases: ['baseline', 'steady-fault', 'run'],
        minSamples: 20,
        informational: false,
      },
      {
        name: 'function-errors',
        title: 'Function errors',
        source: 'design review',
        indicator: {
          type: 'ratio',
          good: 'ok',
          total: { table: 'requests', where: "stream = 'invocations'" },
        },
        op: 'gte',
        target: 0.95,
        timeScaled: false,
        phases: ['baseline', 'steady-fault', 'run'],
        minSamples: 20,
        informational: false,
      },
      {
        name: 'queue-depth',
        title: 'Queue',
        source: 'SRE guide',
        indicator: {
          type: 'series',
          statistic: 'max',
          query: 'queue_depth',
          kind: 'range',
          unit: 'messages',
        },
        op: 'lt',
        target: 1000,
        timeScaled: false,
        phases: ['run'],
        minSamples: 10,
        informational: false,
      },
    ],
    alerts: [
      {
        alert: 'BuilderServiceDown',
        labels: { severity: 'critical' },
        expect: 'must-fire',
        fault: 'kill-builder',
        withinMs: 4000,
        clearsWithinMs: 6000,
      },
      { alert: 'RabbitMQQueueBacklog', labels: {}, expect: 'may-fire' },
    ],
    rules: ['BuilderServiceDown', 'RabbitMQQueueBacklog', 'BuildFailureRateHigh'].map((alert) => ({
      alert,
      expr: 'up == 0',
      forMs: 2000,
      rangeMs: 0,
      shortestRangeMs: 0,
      labels: { severity: 'critical' },
      annotations: {},
      file: 'slo/rules/sre-guide.yaml',
    })),
    recovery: [
      {
        name: 'builds-back',
        fault: 'kill-builder',
        total: { table: 'ledger', where: "stream = 'builds'" },
        good: 'processed > 0',
        target: 0.99,
        windowMs: 1000,
        windows: 3,
        from: 'revert',
        rtoMs: 5000,
      },
    ],
    ledger: {
      drainMs: 30_000,
      maxRefusedShare: 0.01,
      maxLost: 0,
      maxFailed: 0,
      maxDuplicated: 0,
      maxUnexpected: 0,
    },
    load: { maxUnsentShare: 0.01, maxLatenessMs: 50, maxCpuShare: 1 },
    honesty: [
      {
        name: 'events-accepted',
        client: 'SELECT done_us AS t_us, 1 AS n FROM requests WHERE status = 202',
        counter: 'cloudevents_received_total',
        tolerance: 0.02,
        toleranceAbs: 2,
      },
    ],
    core: { invocations: { qps: 'sum(rate(x[1m]))' } },
  };
}

function journalOf(streams: string[]): SyntheticRun['journal'] {
  const fault = 'kill-builder';
  const probe = 'its health endpoint';
  const entries: SyntheticRun['journal'] = [
    { t: -9000, type: 'target.up', seconds: 8, components: { rabbitmq: '3.10' } },
    { t: 0, type: 'run.started' },
    ...streams.map((name) => ({ t: 1, type: 'load.started' as const, stream: name })),
    ...Array.from({ length: 12 }, (_, i) => ({
      t: i * 5000 + 10,
      type: 'generator.sample' as const,
      cpu: 0.2 + i / 100,
    })),
    ...PHASES.flatMap((p) => [
      { t: p.startMs + 2, type: 'phase.started' as const, phase: p.name },
      { t: p.endMs + 1, type: 'phase.ended' as const, phase: p.name },
    ]),
    { t: TIMES.inject + 1, type: 'fault.undo-recorded', fault, undo: 'starts it again' },
    { t: TIMES.inject + 2, type: 'fault.injecting', fault },
    { t: TIMES.inject + 50, type: 'fault.injected', fault },
    { t: TIMES.effectSeen, type: 'fault.effect-seen', fault, probe, detail: 'connection refused' },
    ...[25_300, 30_350, 35_400].map((t) => ({
      ...{ t, type: 'fault.effect-held' as const, fault, probe, detail: 'connection refused' },
    })),
    { t: TIMES.revert + 1, type: 'fault.reverting', fault },
    { t: TIMES.reverted, type: 'fault.reverted', fault },
    { t: TIMES.effectGone, type: 'fault.effect-gone', fault, probe, detail: 'answers 200' },
    { t: TIMES.effectGone + 10, type: 'fault.audit', fault, clean: true, leaks: [] },
    ...streams.map((name) => ({ t: 61_000, type: 'load.ended' as const, stream: name, exitCode: 0 })),
    { t: 61_100, type: 'drain.started', outstanding: 0 },
    { t: 62_000, type: 'drain.ended', outstanding: 0, timedOut: false },
    { t: TIMES.end - 500, type: 'audit', clean: true, leaks: [] },
    { t: TIMES.end, type: 'run.ended', outcome: 'completed' },
  ];
  return entries.sort((a, b) => a.t - b.t);
}

function alertsOf(): AlertChange[] {
  const alert = 'BuilderServiceDown';
  const labels = { severity: 'critical', job: 'builder' };
  return [
    { source: 'prometheus', t: 20_800, alert, labels, state: 'pending' },
    { source: 'prometheus', t: 22_800, alert, labels, state: 'firing' },
    { source: 'receiver', t: 23_100, alert, labels, state: 'firing', startsAt: 22_800 },
    { source: 'prometheus', t: 42_300, alert, labels, state: 'inactive' },
    { source: 'receiver', t: 43_400, alert, labels, state: 'resolved', startsAt: 22_800 },
  ];
}

function seriesOf(builds: Stream, invocations: Stream, requests: RequestRow[]): SeriesRow[] {
  const series: SeriesRow[] = [];
  const accepted = requests.filter((r) => r.stream === builds.name).map((r) => r.done_us as number);
  for (let ms = 0; ms <= 62_000; ms += SCRAPE_MS) {
    const t_us = ms * 1000;
    series.push({
      query: 'cloudevents_received_total',
      kind: 'raw',
      phase: null,
      labels: '{"job":"receiver"}',
      t_us,
      value: accepted.filter((us) => us <= t_us).length,
    });
    series.push({
      query: 'queue_depth',
      kind: 'range',
      phase: null,
      labels: '{}',
      t_us,
      value: ms > TIMES.inject && ms < TIMES.builderBack ? (ms - TIMES.inject) / 250 : 0,
    });
  }
  for (let ms = 0; ms <= 62_000; ms += SCRAPE_MS)
    series.push({
      query: HEARTBEAT,
      kind: 'raw',
      phase: null,
      labels: '{}',
      t_us: ms * 1000,
      value: 1,
    });
  for (const { name, endMs } of PHASES)
    series.push({
      query: `core.${invocations.name}.qps`,
      kind: 'phase',
      phase: name,
      labels: '{}',
      t_us: endMs * 1000,
      value: 20.04,
    });
  for (const alert of ['BuilderServiceDown', 'RabbitMQQueueBacklog', 'BuildFailureRateHigh']) {
    for (const [query, value] of [
      ['rule_evaluations', 124],
      ['rule_failures', 0],
    ] as const)
      series.push({
        ...{ query, kind: 'observed', phase: null, labels: `{"alert":"${alert}"}` },
        ...{ t_us: 62_000_000, value },
      });
  }
  for (const component of ['prometheus', 'alertmanager'])
    series.push({
      ...{ query: MONITORING_STARTED, kind: 'observed', phase: null, labels: `{"component":"${component}"}` },
      ...{ t_us: 62_000_000, value: -17 },
    });
  return series;
}

/** Writes a bundle's files into a directory, which is created; with `manifest` also how many rows each file has. */
export async function writeBundle(dir: string, run: SyntheticRun, { manifest = true } = {}): Promise<void> {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, FILES.plan), `${JSON.stringify(run.plan, null, 2)}\n`);
  const started = Date.parse(run.plan.run.startedAt);
  const ndjson = (lines: object[]) => lines.map((l) => `${JSON.stringify(l)}\n`).join('');
  const stamped = run.journal.map(({ t, ...fact }, i) => ({
    seq: i + 1,
    t: t + 9000,
    wall: new Date(started + t).toISOString(),
    ...fact,
  }));
  writeFileSync(join(dir, FILES.journal), ndjson(stamped));
  writeFileSync(join(dir, FILES.alerts), ndjson(run.alerts));
  const counts = {
    [FILES.requests]: run.requests.length,
    [FILES.ledger]: run.ledger.length,
    [FILES.alerts]: run.alerts.length,
    [FILES.series]: run.series.length + 4,
  };
  const rows = Object.entries(counts).map(
    ([file, value]): SeriesRow => ({
      query: 'rows',
      kind: 'observed',
      phase: null,
      labels: JSON.stringify({ file }),
      t_us: 62_000_000,
      value,
    }),
  );
  using db = await Database.open({ threads: 1 });
  const tables: Record<TableName, object[]> = {
    requests: run.requests,
    ledger: run.ledger,
    series: manifest ? [...run.series, ...rows] : run.series,
  };
  for (const name of ['requests', 'ledger', 'series'] as const) {
    await db.createTable(name);
    await db.append(name, tables[name]);
    await db.writeParquet(name, join(dir, FILES[name]));
  }
}
