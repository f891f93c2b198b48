/** After the timeline: drains, then writes every evidence file of the bundle. A file that can not be had is named in the journal. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AlertChange } from '../../evidence/alerts.ts';
import { RULE_METRIC } from '../../evidence/detectable.ts';
import { Database, quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES, HEARTBEAT, type SeriesRow, type TableName } from '../../evidence/tables.ts';
import type { Tap } from '../../targets/tap.ts';
import type { RunClock } from '../clock.ts';
import { drain } from '../drain.ts';
import type { Journal } from '../journal.ts';
import { importRequests } from '../load/import.ts';
import type { LoadHandle } from '../load/start.ts';
import type { Observers } from '../observers.ts';
import type { RunDirectories } from '../run-directories.ts';
import type { StopSignal } from '../stop.ts';
import type { AlertReceiver } from '../webhook.ts';
import { alertmanagerStartedWallMs, prometheusChanges, receiverChanges } from './alerts.ts';
import { ledgerRows, type SentEvent, verifyArtifacts } from './ledger.ts';
import { collectLoki } from './loki.ts';
import { PATIENCE_MS, Patience } from './patience.ts';
import type { GroupEvaluations, PrometheusClient } from './prometheus.ts';
import {
  collectSeries,
  evaluationRows,
  manifestRows,
  type NamedQueries,
  podRows,
  ruleMetricRows,
  startRow,
} from './series.ts';
import type { EvidenceSources } from './sources.ts';
import { collectTraces } from './traces.ts';

export interface CollectRequest {
  plan: Plan;
  directories: RunDirectories;
  load: LoadHandle;
  tap: Tap;
  receiver: AlertReceiver;
  prometheus: PrometheusClient;
  /** What its rule groups had done when the run began. */
  evaluatedBefore: GroupEvaluations;
  observers: Observers;
  queries: NamedQueries;
  journal: Journal;
  clock: RunClock;
  stop: StopSignal;
  registryUrl: string;
  alertmanagerUrl: string;
  sources: EvidenceSources;
}

const LOKI_LOG = 'loki.ndjson';

export async function collectEvidence(request: CollectRequest): Promise<void> {
  const { plan, directories, load, tap, receiver, observers, journal, clock, stop } = request;
  const file = (name: string) => join(directories.bundle, name);
  const attempt = async (what: string, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      journal.write({ type: 'evidence.missing', what, reason: (error as Error).message });
    }
  };

  // How many rows each file was given: a file that lost its tail afterwards is noticed by the judge.
  const written: Record<string, number> = {};
  let sent: SentEvent[] = [];
  await attempt(FILES.requests, async () => {
    const imported = await importRequests({
      rawFiles: load.rawFiles,
      runId: plan.run.id,
      streams: plan.streams,
      originEpochUs: Math.round(clock.originWallMs * 1000),
      outFile: file(FILES.requests),
    });
    written[FILES.requests] = imported.rows;
    sent = await ledgerEvents(file(FILES.requests), plan);
  });
  const accepted = sent
    .filter((s) => s.status !== null && s.status >= 200 && s.status < 300)
    .map((s) => s.event_id);
  // Who pressed Ctrl-C waits: such a run is `unknown` whatever it lost.
  const hurried = stop.reason?.outcome === 'interrupted';
  const drainMs = hurried ? Math.min(plan.ledger.drainMs, 5000) : plan.ledger.drainMs;
  await drain(accepted, tap, drainMs, hurried ? 0 : plan.scrapeMs, journal);
  const heard = tap.listening();
  observers.stop();
  const endMs = clock.now();

  const rows: SeriesRow[] = podRows(observers.pods);
  const patient = () => new Patience({ withinMs: hurried ? 0 : PATIENCE_MS });
  const patience = patient();
  await attempt(FILES.alerts, async () => {
    written[FILES.alerts] = await writeAlerts(request, endMs, patience);
  });
  await attempt('rule evaluations', async () => {
    const [rules, groups] = await Promise.all([
      patience.ask(() => request.prometheus.rules()),
      patience.ask(() => request.prometheus.groupEvaluations()),
    ]);
    rows.push(...evaluationRows(rules, request.evaluatedBefore, groups, endMs));
  });
  await attempt(`${FILES.series}: ${RULE_METRIC}`, async () => {
    const there = await patience.ask(() => request.prometheus.metricNames());
    rows.push(...ruleMetricRows(plan.rules, there, endMs));
  });
  for (const [component, asked, started] of [
    ['prometheus', patience, () => request.prometheus.startedWallMs()],
    ['alertmanager', patient(), () => alertmanagerStartedWallMs(request.alertmanagerUrl)],
  ] as const)
    await attempt(`start of ${component}`, async () => {
      rows.push(startRow(component, await asked.ask(started), clock, endMs));
    });
  const { rows: samples, missing } = await collectSeries(
    request.prometheus,
    plan,
    request.queries,
    endMs,
    clock,
    patience,
  );
  rows.push(...samples);
  for (const what of missing) journal.write({ type: 'evidence.missing', ...what });

  await attempt(FILES.ledger, async () => {
    const ledger = ledgerRows(sent, tap.processed, clock);
    await verifyArtifacts(ledger, request.registryUrl);
    await writeTable('ledger', ledger, file(FILES.ledger));
    written[FILES.ledger] = ledger.length;
  });
  written[FILES.series] = rows.length + Object.keys(written).length + 1;
  rows.push(...manifestRows(written, endMs));
  await attempt(FILES.series, () => writeTable('series', rows, file(FILES.series)));
  const { traces, loki } = request.sources;
  if (traces !== undefined)
    await attempt(FILES.traces, async () => {
      const found = { store: traces, requestsFile: file(FILES.requests), outFile: file(FILES.traces), clock };
      const { count, missing: reason } = await collectTraces(plan, found);
      journal.write({ type: 'traces.collected', ...count });
      if (reason !== undefined)
        journal.write({ type: 'evidence.missing', what: `${FILES.traces}: some of them`, reason });
    });
  if (loki !== undefined)
    await attempt(`${FILES.logs}/${LOKI_LOG}`, async () => {
      const collected = await collectLoki({
        ...loki,
        ...{ fromMs: clock.originWallMs, toMs: clock.originWallMs + endMs, originMs: clock.originWallMs },
        outFile: join(directories.logs, LOKI_LOG),
      });
      journal.write({ type: 'logs.collected', query: loki.query, ...collected });
    });
  if (!heard)
    journal.write({
      type: 'evidence.missing',
      what: `${FILES.ledger}: lifecycle events`,
      reason:
        'the harness had no connection to the broker at the end: what was processed by then is not known',
    });
  for (const reason of tap.garbled)
    journal.write({
      type: 'evidence.missing',
      what: `${FILES.ledger}: a lifecycle event`,
      reason: `not understood: ${reason}`,
    });
  for (const reason of receiver.garbled)
    journal.write({
      type: 'evidence.missing',
      what: `${FILES.alerts}: a notification`,
      reason: `not understood: ${reason}`,
    });
}

async function writeTable(table: TableName, rows: readonly object[], file: string): Promise<void> {
  using database = await Database.open();
  await database.createTable(table);
  await database.append(table, rows);
  await database.writeParquet(table, file);
}

/** Returns the number of lines written. */
async function writeAlerts(request: CollectRequest, endMs: number, patience: Patience): Promise<number> {
  const { plan, directories, receiver, prometheus, clock } = request;
  const file = join(directories.bundle, FILES.alerts);
  // The file exists from here on: what follows adds to it, and an empty one means "asked, and nothing was there".
  writeFileSync(file, '');
  const endWallMs = clock.originWallMs + endMs;
  const raw = (selector: string) =>
    patience.ask(() => prometheus.raw(selector, endWallMs, endMs + 2 * plan.evaluationMs));
  const [series, heartbeat] = [await raw('ALERTS'), await raw(HEARTBEAT)];
  const changes: AlertChange[] = [
    ...prometheusChanges(series, heartbeat, { evaluationMs: plan.evaluationMs, endWallMs }, clock),
    ...receiverChanges(receiver.deliveries, clock),
  ];
  changes.sort((a, b) => a.t - b.t);
  appendFileSync(file, changes.map((change) => `${JSON.stringify(change)}\n`).join(''));
  return changes.length;
}

async function ledgerEvents(requestsFile: string, plan: Plan): Promise<SentEvent[]> {
  const streams = plan.streams.filter((s) => s.ledger).map((s) => `'${s.name}'`);
  if (streams.length === 0) return [];
  using database = await Database.open();
  // Awaited here: the database is closed when this function returns.
  return await database.rows<SentEvent>(
    `SELECT event_id, stream, phase, sent_us, done_us AS answered_us, status FROM read_parquet(${quote(requestsFile)})
     WHERE event_id IS NOT NULL AND stream IN (${streams.join(', ')}) ORDER BY event_id`,
  );
}
