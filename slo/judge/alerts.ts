/**
 * Alert contracts, from two witnesses: what Prometheus evaluated, and what the receiver got from Alertmanager.
 * Every rule of the plan is judged: one without a contract must not fire. So is whatever fired without being a planned rule.
 */

import { checkId } from '../../evidence/check-ids.ts';
import { RULE_METRIC } from '../../evidence/detectable.ts';
import { quote } from '../../evidence/duckdb.ts';
import type { AlertContract } from '../../evidence/plan.ts';
import { FILES, MONITORING_STARTED } from '../../evidence/tables.ts';
import type { AlertResult, Check } from '../../evidence/verdict.ts';
import { promqlNeeds } from '../rules/promql.ts';
import {
  conclude,
  judgeMayFire,
  judgeMustFire,
  judgeMustNotFire,
  newFindings,
  type Setting,
  type Timings,
} from './alert-contracts.ts';
import { type AlertHistory, firingOf, historiesOf, pendingOf } from './alert-history.ts';
import type { Context, Finding } from './context.ts';
import { beatsMs, gapProblems } from './heartbeat.ts';
import { loadProblems } from './load.ts';
import { rounded, seconds } from './numbers.ts';

/** Fewer evaluations than this share of the expected ones: Prometheus was not there for much of the run. */
const MIN_EVALUATED_SHARE = 0.5;

const NOTHING: AlertHistory = { episodes: [], delivered: [] };

export async function checkAlerts(c: Context): Promise<Finding> {
  const { plan } = c;
  const contracts: AlertContract[] = [...plan.alerts];
  for (const alert of new Set(plan.rules.map((r) => r.alert))) {
    if (!contracts.some((x) => x.alert === alert))
      contracts.push({ alert, labels: {}, expect: 'must-not-fire' });
  }
  if (contracts.length === 0) return { checks: [] };
  const known = new Set(contracts.map((x) => x.alert));
  const strangers = await c.alerts().then(
    (changes) =>
      [...new Set(changes.filter((x) => x.state === 'firing').map((x) => x.alert))]
        .filter((a) => !known.has(a))
        .sort(),
    (): string[] => [],
  );
  for (const alert of strangers) contracts.push({ alert, labels: {}, expect: 'must-not-fire' });

  const checks: Check[] = [];
  const alerts: AlertResult[] = [];
  const ids = new Set<string>();
  for (const contract of contracts) {
    let id = checkId.alert(contract);
    while (ids.has(id)) id += '+';
    ids.add(id);
    let history = NOTHING;
    let timings: Timings = { detectionMs: null, deliveryMs: null, clearMs: null };
    const check = await c.check({ id, group: 'alert', title: titleOf(contract) }, async () => {
      const changes = await c.alerts();
      history = historiesOf(changes).get(contract.alert) ?? NOTHING;
      const endMs = await c.endMs();
      const setting: Setting = {
        plan,
        contract,
        contracts,
        history,
        unscraped: await unscraped(c, contract.alert),
        faults: plan.faults.length > 0 ? await c.faults() : [],
        endMs,
        // Of what must not fire nobody asks when it was seen to be off.
        beatsMs: contract.expect === 'must-not-fire' ? [] : await beatsMs(c, endMs),
      };
      const findings = newFindings();
      if (!strangers.includes(contract.alert))
        findings.blocking.push(...(await evaluationProblems(c, contract)));
      if (contract.expect === 'must-fire') {
        timings = judgeMustFire(setting, findings);
        if (findings.absent.length > 0)
          findings.blocking.push(...(await loadProblems(c)), ...(await unreadProblems(c, setting)));
      } else if (contract.expect === 'may-fire') timings = judgeMayFire(setting, findings);
      else judgeMustNotFire(setting, findings, strangers.includes(contract.alert));
      if (findings.absent.length > 0) findings.blocking.push(...(await newAlertmanager(c)));
      const window = { fromMs: 0, toMs: rounded(setting.endMs) ?? 0 };
      return {
        ...conclude(findings),
        evidence: [
          {
            file: FILES.alerts,
            query: `alert = ${contract.alert}`,
            window,
            samples: history.episodes.length + history.delivered.length,
          },
        ],
      };
    });
    checks.push(check);
    alerts.push({
      checkId: id,
      alert: contract.alert,
      expect: contract.expect,
      fault: contract.fault ?? null,
      verdict: check.verdict,
      pending: pendingOf(history).map(roundedInterval),
      firing: firingOf(history).map(roundedInterval),
      delivered: history.delivered
        .filter((d) => d.t >= 0)
        .map((d) => ({ t: rounded(d.t) ?? 0, state: d.state })),
      detectionMs: rounded(timings.detectionMs),
      deliveryMs: rounded(timings.deliveryMs),
      clearMs: rounded(timings.clearMs),
    });
  }
  return { checks, alerts };
}

function roundedInterval({ fromMs, toMs }: { fromMs: number; toMs: number | null }) {
  return { fromMs: rounded(fromMs) ?? 0, toMs: rounded(toMs) };
}

function titleOf(x: AlertContract): string {
  if (x.expect === 'must-not-fire') return `${x.alert} must not fire`;
  if (x.anytime) return `${x.alert} may fire at any time: a known false alarm`;
  if (x.expect === 'may-fire') return `${x.alert} may fire only because of ${x.fault ?? 'a fault'}`;
  return `${x.alert} must fire within ${seconds(x.withinMs ?? 0)} of ${x.fault ?? 'the fault'}`;
}

/** The silence of a rule that nobody evaluated proves nothing. */
async function evaluationProblems(c: Context, { alert, expect }: AlertContract): Promise<string[]> {
  if (!c.plan.rules.some((r) => r.alert === alert))
    return expect === 'may-fire' ? [] : ['the plan has no rule of that name, so nobody evaluated it'];
  const value = await observedOf(c, 'rule_evaluations', 'min', alert);
  const failed = await observedOf(c, 'rule_failures', 'max', alert);
  const expected = (c.window('run')?.endMs ?? 0) / c.plan.evaluationMs;
  if (value === null) return ['nobody knows whether Prometheus evaluated its rule'];
  if (!(value > 0)) return ['Prometheus never evaluated its rule'];
  if (value < expected * MIN_EVALUATED_SHARE)
    return [`Prometheus evaluated its rule ${value} times, of ${Math.round(expected)} in a whole run`];
  if (failed === null) return ['nobody knows whether evaluations of its rule failed'];
  if (failed > 0)
    return [
      `${failed} evaluations failed in the group of its rule, which may have been blind then (Prometheus's log says why)`,
    ];
  return [...(await newPrometheus(c)), ...(await gapProblems(c, 'run', await c.endMs()))];
}

/** Whether the platform did not count, or the harness did not ask for it, can not be told from here. */
async function unreadProblems(c: Context, { unscraped: metrics }: Setting): Promise<string[]> {
  await c.needQuery(RULE_METRIC);
  return metrics.length === 0
    ? []
    : [
        `Prometheus never had what its rule reads (${metrics.join(', ')}): does anything that is scraped expose it?`,
      ];
}

/** The metrics that an alert's rule reads, when Prometheus had none of them. Empty as well where that keeps no rule from firing, or nobody looked. */
async function unscraped(c: Context, alert: string): Promise<string[]> {
  const metrics = c.plan.rules.filter((r) => r.alert === alert).flatMap(({ expr }) => promqlNeeds(expr));
  if (metrics.length === 0 || !c.bundle.has('series')) return [];
  await c.need('series');
  const rows = await c.db.rows<{ metric: string; there: number }>(
    `SELECT labels->>'$.metric' AS metric, max(value) AS there FROM series WHERE kind = 'observed' AND query = ${quote(RULE_METRIC)} GROUP BY 1`,
  );
  const there = new Map(rows.map((row) => [row.metric, row.there]));
  return metrics.every((metric) => there.get(metric) === 0) ? metrics : [];
}

/** What was pending when Prometheus ended begins anew with the next one: an alert with a `for` may never get to firing. */
async function newPrometheus(c: Context): Promise<string[]> {
  const at = await startedMs(c, 'prometheus');
  if (at === null) return ['nobody knows whether Prometheus was started anew in the run'];
  return at > 0 ? [`Prometheus was started anew at ${seconds(at)}: what was pending then began again`] : [];
}

/** A new one knows nothing of what was to be delivered; what was delivered all the same stands for itself. */
async function newAlertmanager(c: Context): Promise<string[]> {
  const at = await startedMs(c, 'alertmanager');
  if (at === null) return ['nobody knows whether Alertmanager was started anew in the run'];
  return at > 0 ? [`Alertmanager was started anew at ${seconds(at)}`] : [];
}

/** When the process that ran at the end was started, ms since the run's origin; null: it did not say. */
async function startedMs(c: Context, component: 'prometheus' | 'alertmanager'): Promise<number | null> {
  await c.needQuery(MONITORING_STARTED);
  const { value } = await c.db.row<{ value: number | null }>(
    `SELECT max(value) * 1000 AS value FROM series WHERE kind = 'observed' AND query = ${quote(MONITORING_STARTED)} AND (labels->>'$.component') = ${quote(component)}`,
  );
  return value;
}

/** What the harness counted of one rule; null: it did not. */
async function observedOf(
  c: Context,
  query: string,
  worst: 'min' | 'max',
  alert: string,
): Promise<number | null> {
  await c.needQuery(query);
  const rows = await c.db.rows<{ alert: string; value: number | null }>(
    `SELECT labels->>'$.alert' AS alert, ${worst}(value) AS value FROM series WHERE kind = 'observed' AND query = ${quote(query)} GROUP BY 1`,
  );
  return rows.find((r) => r.alert === alert)?.value ?? null;
}
