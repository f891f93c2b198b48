/** The verdict of the sample bundle, computed from its tables where a table has the number. Not the judge: see slo/. */

import { type Database, quote } from '../evidence/duckdb.ts';
import type { Plan } from '../evidence/plan.ts';
import { FILES } from '../evidence/tables.ts';
import type { Check, Verdict } from '../evidence/verdict.ts';
import { VERDICT_VERSION, VerdictDocument } from '../evidence/verdict.ts';
import type { SampleOptions } from './sample.ts';
import { PHASES, SILENT } from './sample-plan.ts';
import { openTables } from './tables.ts';

export interface SampleFacts {
  alerts: {
    alert: string;
    pendingMs?: number;
    firingMs?: number;
    clearMs?: number;
    delivered: { t: number; state: 'firing' | 'resolved' }[];
  }[];
}
type CheckOf = ReturnType<typeof Check.parse>;

const six = (x: number) => Number(x.toPrecision(6));
const SEEN = 41_050;
const GONE = 77_200;

async function coreOf(db: Database, stream: string, phase: { name: string; startMs: number; endMs: number }) {
  const sql = `SELECT count(*) AS requests, count(*) FILTER (outcome = 'unsent') AS unsent,
    count(*) FILTER (outcome IN ('failed', 'timeout')) AS failed, count(*) FILTER (outcome = 'ok') AS ok,
    avg(done_us - intended_us) AS mean, quantile_disc(done_us - intended_us, [0.5, 0.95, 0.99]) AS q,
    max(done_us - intended_us) AS max, sum(done_us - intended_us) AS total
    FROM requests WHERE stream = ${quote(stream)} AND phase = '${phase.name}'`;
  const [row] = await db.rows(sql);
  const r = row as Record<string, unknown>;
  const q = (r.q as number[]).map((us) => six(us / 1e6));
  const seconds = (phase.endMs - phase.startMs) / 1000;
  const mean = Number(r.mean) / 1e6;
  const qps = Number(r.requests) / seconds;
  const concurrency = Number(r.total) / 1e6 / seconds;
  const [p50 = null, p95 = null, p99 = null] = q;
  const failed = Number(r.failed);
  return {
    stream,
    phase: phase.name,
    requests: Number(r.requests),
    unsent: Number(r.unsent),
    failed,
    qps: six(qps),
    tps: six(Number(r.ok) / seconds),
    concurrency: six(concurrency * 1.004),
    responseTime: { mean: six(mean), p50, p95, p99, max: six(Number(r.max) / 1e6) },
    littlesLaw: { predicted: six(qps * mean), measured: six(concurrency * 1.004), residual: 0.00398406 },
    prometheus: { qps: six(qps * 0.997), p95: p95 === null ? null : six(p95 * 1.08) },
  };
}

async function ledgerOf(db: Database) {
  const rows = await db.rows<
    Record<string, unknown>
  >(`SELECT phase, count(*) AS attempted, count(*) FILTER (accepted) AS accepted,
    count(*) FILTER (accepted AND processed > 0) AS processed, count(*) FILTER (accepted AND processed = 0) AS lost,
    count(*) FILTER (accepted AND result IN ('failed', 'error')) AS failed,
    count(*) FILTER (processed > 1) AS duplicated, count(*) FILTER (stream IS NULL) AS unexpected,
    count(*) FILTER (NOT accepted AND processed > 0) AS recovered FROM ledger GROUP BY phase`);
  return PHASES.map((p) => {
    const row = rows.find((r) => r.phase === p.name) ?? {};
    const n = (key: string) => Number(row[key] ?? 0);
    return {
      phase: p.name,
      attempted: n('attempted'),
      accepted: n('accepted'),
      processed: n('processed'),
      lost: n('lost'),
      failed: n('failed'),
      duplicated: n('duplicated'),
      unexpected: n('unexpected'),
      recovered: n('recovered'),
    };
  });
}

export async function sampleVerdict(dir: string, plan: Plan, o: Required<SampleOptions>) {
  const { db } = await openTables(dir);
  const fault = plan.faults[0]?.name ?? '';
  const checks: CheckOf[] = [];
  const check = (
    id: string,
    group: CheckOf['group'],
    title: string,
    verdict: Verdict,
    message: string,
    more: Partial<CheckOf> = {},
  ) => {
    checks.push({
      id: id + o.taint,
      group,
      title: title + o.taint,
      verdict,
      message: message + o.taint,
      informational: false,
      evidence: [],
      ...more,
    });
    return id + o.taint;
  };
  const core = [];
  for (const s of plan.streams) for (const p of PHASES) core.push(await coreOf(db, s.name, p));
  const ledger = await ledgerOf(db);
  db.close();

  check('harness/outcome', 'harness', 'The run completed', 'pass', 'completed', {
    evidence: [{ file: FILES.journal, query: "type = 'run.ended'", samples: 1 }],
  });
  check(
    'load/builds',
    'load',
    'k6 kept its rate: builds',
    'pass',
    '0 of 2100 requests unsent (at most 1 %)',
    {
      evidence: [
        {
          file: FILES.requests,
          query: "SELECT avg((outcome = 'unsent')::INT) FROM requests WHERE stream = 'builds'",
          samples: 2100,
        },
      ],
    },
  );

  const objectives = [];
  for (const c of core) {
    const ratio = (c.requests - c.failed) / c.requests;
    const low = o.variant === 'unknown' && c.phase === 'inject';
    const bound = 0.99;
    const verdict: Verdict = low ? 'unknown' : c.phase === 'inject' || ratio >= bound ? 'pass' : 'fail';
    const window = {
      phase: c.phase,
      fromMs: PHASES.find((p) => p.name === c.phase)?.startMs ?? 0,
      toMs: PHASES.find((p) => p.name === c.phase)?.endMs ?? 0,
    };
    const target = c.phase === 'inject' ? 0.8 : bound;
    const allowed = six(c.requests * (1 - target));
    const name = `${c.stream.slice(0, c.stream.length - o.taint.length)}-ok`;
    const checkId = check(
      `objective/${name}/${c.phase}`,
      'objective',
      `${name} in ${c.phase}`,
      verdict,
      low ? 'too few samples: 12 of 50' : `${(ratio * 100).toFixed(2)} % good, at least ${target * 100} %`,
      {
        evidence: [
          {
            file: FILES.requests,
            query: `SELECT avg((outcome = 'ok')::INT) FROM requests WHERE stream = '${c.stream}' AND phase = '${c.phase}'`,
            window,
            samples: c.requests,
          },
        ],
      },
    );
    objectives.push({
      checkId,
      name,
      title: name + o.taint,
      source: 'SRE guide, Golden Signals',
      phase: c.phase,
      verdict,
      measured: six(ratio),
      op: 'gte',
      target,
      unit: 'ratio',
      samples: c.requests,
      budget: low
        ? null
        : { allowed, spent: c.failed, spentShare: allowed > 0 ? six(c.failed / allowed) : null },
    });
    const slow = c.responseTime.p95 ?? 0;
    const limit = c.stream.startsWith('builds') ? 0.5 : 1;
    const slowId = check(
      `objective/${name}-p95/${c.phase}`,
      'objective',
      `${c.stream} p95 in ${c.phase}`,
      'pass',
      `p95 ${slow} s, below ${limit} s`,
      {
        informational: c.phase === 'inject',
        evidence: [
          {
            file: FILES.requests,
            query: `SELECT quantile_disc(done_us - intended_us, 0.95) / 1e6 FROM requests WHERE stream = '${c.stream}' AND phase = '${c.phase}'`,
            window,
            samples: c.requests,
          },
        ],
      },
    );
    objectives.push({
      checkId: slowId,
      name: `${name}-p95`,
      title: `${c.stream} response time p95`,
      source: 'SRE guide, Golden Signals',
      phase: c.phase,
      verdict: 'pass' as const,
      measured: slow,
      op: 'lt',
      target: limit,
      unit: 's',
      samples: c.requests,
      budget: null,
    });
  }

  const facts: SampleFacts = {
    alerts: [
      {
        alert: 'BuilderServiceDown',
        pendingMs: 42_600,
        firingMs: 47_600,
        clearMs: 78_600,
        delivered: [
          { t: 48_300, state: 'firing' },
          { t: 80_900, state: 'resolved' },
        ],
      },
      {
        alert: 'RabbitMQQueueBacklog',
        pendingMs: 49_600,
        firingMs: 61_600,
        clearMs: 92_600,
        delivered: [
          { t: 62_400, state: 'firing' },
          { t: 94_800, state: 'resolved' },
        ],
      },
      { alert: `HighErrorRate${o.taint}`, pendingMs: 42_600, clearMs: 46_600, delivered: [] },
      ...SILENT.map((alert) => ({ alert, delivered: [] })),
    ],
  };
  const alerts = facts.alerts.map((a) => {
    const expect =
      a.alert === 'BuilderServiceDown'
        ? 'must-fire'
        : a.alert === 'RabbitMQQueueBacklog'
          ? 'may-fire'
          : 'must-not-fire';
    const checkId = check(
      `alert/${a.alert}`,
      'alert',
      `${a.alert} ${expect}`,
      'pass',
      a.firingMs ? `fired ${(a.firingMs - SEEN) / 1000} s after the effect` : 'did not fire',
      {
        evidence: [
          {
            file: FILES.alerts,
            query: `alert = '${a.alert}'`,
            window: { fromMs: 0, toMs: 150_000 },
            samples: a.delivered.length,
          },
        ],
      },
    );
    const pendingEnd = a.firingMs ?? a.clearMs ?? null;
    return {
      checkId,
      alert: a.alert,
      expect,
      fault: expect === 'must-not-fire' ? null : fault,
      verdict: 'pass',
      pending: a.pendingMs === undefined ? [] : [{ fromMs: a.pendingMs, toMs: pendingEnd }],
      firing: a.firingMs === undefined ? [] : [{ fromMs: a.firingMs, toMs: a.clearMs ?? null }],
      delivered: a.delivered,
      detectionMs: a.firingMs === undefined ? null : a.firingMs - SEEN,
      deliveryMs: a.delivered[0] ? a.delivered[0].t - SEEN : null,
      clearMs: a.firingMs !== undefined && a.clearMs !== undefined ? a.clearMs - GONE : null,
    };
  });

  const faultCheck = check(
    `fault/${fault}`,
    'fault',
    `${fault} took effect and was undone`,
    'pass',
    'effect seen 760 ms after the injection; audit clean',
    {
      evidence: [{ file: FILES.journal, query: `type LIKE 'fault.%' AND fault = '${fault}'`, samples: 7 }],
    },
  );
  const lost = ledger.reduce((sum, l) => sum + l.lost, 0);
  const accepted = ledger.reduce((sum, l) => sum + l.accepted, 0);
  check(
    'ledger/lost',
    'ledger',
    'No accepted event is lost',
    lost > 0 ? 'fail' : 'pass',
    `${lost} of ${accepted} accepted events lost, at most 0`,
    {
      evidence: [
        {
          file: FILES.ledger,
          query: 'SELECT event_id FROM ledger WHERE accepted AND processed = 0',
          samples: accepted,
        },
      ],
    },
  );
  const recoveryId = check(
    'recovery/builds-flow',
    'recovery',
    'Builds flow again',
    'pass',
    'recovered 21.6 s after the revert, at most 30 s',
    {
      evidence: [
        {
          file: FILES.ledger,
          query:
            'SELECT sent_us // 2000000 AS w, avg((first_processed_us - sent_us < 5000000)::INT) FROM ledger WHERE accepted GROUP BY w ORDER BY w',
          window: { fromMs: 76_400, toMs: 150_000 },
          samples: 890,
        },
      ],
    },
  );
  const verdict: Verdict = checks.some((c) => c.verdict === 'fail')
    ? 'fail'
    : checks.some((c) => c.verdict === 'unknown')
      ? 'unknown'
      : 'pass';
  const document = VerdictDocument.parse({
    version: VERDICT_VERSION,
    verdict,
    reasons: checks
      .filter((c) => c.verdict !== 'pass' && !c.informational)
      .map((c) => `${c.title}: ${c.message}`),
    run: {
      id: plan.run.id,
      scenario: plan.scenario.name,
      title: plan.scenario.title,
      claim: plan.scenario.claim,
      target: 'local',
      profile: 'reference',
      seed: 42,
      timeScale: 10,
      startedAt: plan.run.startedAt,
      durationMs: 153_000,
      defects: plan.run.defects,
      outcome: 'completed',
      outcomeReason: null,
    },
    phases: PHASES,
    clauses: plan.scenario.clauses?.map(({ says, judgedBy }) => ({
      says,
      verdict: checks.some((c) => judgedBy.includes(c.id) && c.verdict !== 'pass') ? 'fail' : 'pass',
      checkIds: judgedBy,
    })),
    checks,
    objectives,
    alerts,
    faults: [
      {
        checkId: faultCheck,
        name: fault,
        kind: 'process-kill',
        verdict: 'pass',
        injectedMs: 40_290,
        effectSeenMs: SEEN,
        revertedMs: 76_400,
        effectGoneMs: GONE,
        auditClean: true,
        detail: 'SIGKILL to the builder',
      },
    ],
    recovery: [
      {
        checkId: recoveryId,
        name: 'builds-flow',
        fault,
        verdict: 'pass',
        from: 'revert',
        tookMs: 21_600,
        fromInjectMs: 57_710,
        censoredAtMs: null,
        rtoMs: 32_000,
      },
    ],
    core,
    ledger,
  });
  return { facts, verdict: document };
}
