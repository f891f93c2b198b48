import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copySql, Database } from '../../evidence/duckdb.ts';
import type { Objective } from '../../evidence/plan.ts';
import { passingRun, type SyntheticRun, writeBundle } from '../../evidence/testing.ts';
import type { VerdictDocument } from '../../evidence/verdict.ts';
import { judge, serializeVerdict } from './index.ts';
import { nearestRank, rounded } from './numbers.ts';
import { check, inDirectory, judged, keep } from './testing.ts';

const errors = (phase: string) => `objective/function-errors/${phase}`;
const p95 = (phase: string) => `objective/function-p95/${phase}`;
const invocations = (r: SyntheticRun, phase: string) =>
  r.requests.filter((x) => x.stream === 'invocations' && x.phase === phase);
const unsend = (x: SyntheticRun['requests'][number]) =>
  Object.assign(x, { sent_us: null, done_us: null, status: null, outcome: 'unsent', event_id: null });
const fail = (x: SyntheticRun['requests'][number]) => Object.assign(x, { status: 500, outcome: 'failed' });
/** A verdict as it would be if nobody had asked why there was no answer. */
function withoutReasons(verdict: VerdictDocument, said: string): VerdictDocument {
  const copy = structuredClone(verdict);
  copy.reasons = copy.reasons.map((reason) => reason.replace(said, ''));
  for (const c of copy.checks) {
    c.message = c.message.replace(said, '');
    c.evidence = c.evidence.filter(({ query }) => !query.includes('error_code'));
  }
  return copy;
}
const objective = (r: SyntheticRun, name: string) =>
  r.plan.objectives.find((o) => o.name === name) as Objective;

describe('ratios', () => {
  it('judge each phase by itself, and the run as all of them, with the budget', async () => {
    const verdict = await judged((r) => invocations(r, 'baseline').slice(0, 30).forEach(fail));
    expect(check(verdict, errors('baseline')).verdict).toBe('fail');
    expect(check(verdict, errors('steady-fault')).verdict).toBe('pass');
    expect(verdict.objectives.find((o) => o.checkId === errors('baseline'))).toMatchObject({
      measured: 0.925,
      samples: 400,
      budget: { allowed: 20, spent: 30, spentShare: 1.5 },
    });
    expect(verdict.objectives.find((o) => o.checkId === errors('run'))).toMatchObject({
      measured: 0.975,
      samples: 1200,
      verdict: 'pass',
      budget: { allowed: 60, spent: 30, spentShare: 0.5 },
    });
  });

  it('meet a target exactly', async () => {
    expect(
      check(await judged((r) => invocations(r, 'baseline').slice(0, 20).forEach(fail)), errors('baseline'))
        .verdict,
    ).toBe('pass');
    expect(
      check(await judged((r) => invocations(r, 'baseline').slice(0, 21).forEach(fail)), errors('baseline'))
        .verdict,
    ).toBe('fail');
  });

  it('count what was not sent as not good; unknown when the answer depends on it', async () => {
    const decided = await judged((r) => {
      r.plan.load.maxUnsentShare = 1;
      invocations(r, 'baseline').slice(0, 15).forEach(unsend);
      invocations(r, 'baseline').slice(20, 24).forEach(fail);
    });
    expect(check(decided, errors('baseline')).verdict).toBe('pass');
    const open = await judged((r) => {
      r.plan.load.maxUnsentShare = 1;
      invocations(r, 'baseline').slice(0, 15).forEach(unsend);
      invocations(r, 'baseline').slice(20, 30).forEach(fail);
    });
    expect(check(open, errors('baseline'))).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('the 15 requests that were not sent'),
    });
    const failed = await judged((r) => {
      invocations(r, 'baseline').slice(0, 15).forEach(unsend);
      invocations(r, 'baseline').slice(20, 60).forEach(fail);
    });
    expect(check(failed, errors('baseline')).verdict).toBe('fail');
  });

  it('see what was not sent through a condition that is NULL for it', async () => {
    const verdict = await judged((r) => {
      r.plan.load.maxUnsentShare = 1;
      objective(r, 'function-errors').indicator = {
        type: 'ratio',
        good: 'ok',
        total: { table: 'requests', where: "stream = 'invocations' AND status < 600" },
      };
      invocations(r, 'baseline').slice(0, 30).forEach(unsend);
    });
    expect(check(verdict, errors('baseline')).verdict).toBe('unknown');
  });

  it('are unknown from too few samples, from none, and by SQL that does not run', async () => {
    expect(
      check(
        await judged((r) => {
          objective(r, 'function-errors').minSamples = 401;
        }),
        errors('baseline'),
      ).verdict,
    ).toBe('unknown');
    expect(
      check(
        await judged((r) => {
          objective(r, 'function-errors').phases = ['nowhere'];
        }),
        'objective/function-errors/nowhere',
      ).verdict,
    ).toBe('unknown');
    const none = await judged((r) =>
      Object.assign(objective(r, 'function-errors'), {
        minSamples: 0,
        indicator: { type: 'ratio', good: 'ok', total: { table: 'requests', where: 'false' } },
      }),
    );
    expect(check(none, errors('run')).verdict).toBe('unknown');
    const broken = await judged((r) => {
      objective(r, 'function-errors').indicator = {
        type: 'ratio',
        good: 'no_such_column',
        total: { table: 'requests', where: 'true' },
      };
    });
    expect(check(broken, errors('run'))).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('no_such_column'),
    });
    expect(broken.verdict).toBe('unknown');
  });

  it('read nothing outside of the bundle', async () => {
    const verdict = await judged((r) => {
      objective(r, 'function-errors').indicator = {
        type: 'ratio',
        good: "(SELECT count(*) FROM read_text('/etc/hostname')) > 0",
        total: { table: 'requests', where: 'true' },
      };
    });
    expect(check(verdict, errors('run')).verdict).toBe('unknown');
  });

  it('that failed say why requests had no answer, by a query that runs again; nothing is judged by it', async () => {
    const silence = (r: SyntheticRun) => {
      const all = invocations(r, 'baseline');
      for (const [i, x] of all.slice(0, 30).entries())
        Object.assign(x, { status: 0, outcome: 'failed', error_code: i < 20 ? 1212 : 1220 });
      for (const x of all.slice(30, 32)) Object.assign(x, { status: 0, outcome: 'failed', done_us: null });
      all.slice(32, 35).forEach(fail);
    };
    const said =
      '; 32 had no answer: connection refused (20), connection reset by the other side (10), still under way when the load generator was stopped (2)';
    await inDirectory(async (dir) => {
      const run = passingRun();
      silence(run);
      await writeBundle(dir, run);
      const verdict = await judge(dir);
      const { message, evidence } = check(verdict, errors('baseline'));
      expect(message).toBe(`0.9125 from 400 rows of requests, expected >= 0.95${said}`);
      expect(evidence).toHaveLength(2);
      expect(evidence[1]).toMatchObject({
        file: 'requests.parquet',
        samples: 32,
        window: { phase: 'baseline' },
      });
      const file = join(dir, 'requests.parquet');
      using db = await Database.open();
      const query = String(evidence[1]?.query).replaceAll("'requests.parquet'", `'${file}'`);
      expect(await db.rows(query)).toEqual([
        { error_code: 1212, ended: true, n: 20 },
        { error_code: 1220, ended: true, n: 10 },
        { error_code: null, ended: false, n: 2 },
      ]);
      // Written before there were reasons: the same, without them.
      await db.run(`CREATE TABLE whole AS SELECT * EXCLUDE error_code FROM read_parquet('${file}')`);
      await db.run(copySql('FROM whole', file));
      const before = serializeVerdict(await judge(dir));
      expect(before).toBe(serializeVerdict(withoutReasons(verdict, said)));
    });
    expect(check(await judged((r) => silence(r)), errors('run')).message).not.toContain('no answer');
  });

  it('that want to be low count what was not sent as high', async () => {
    const verdict = await judged((r) => {
      r.plan.load.maxUnsentShare = 1;
      Object.assign(objective(r, 'function-errors'), {
        op: 'lt',
        target: 0.05,
        indicator: {
          type: 'ratio',
          good: 'NOT ok',
          total: { table: 'requests', where: "stream = 'invocations'" },
        },
      });
      invocations(r, 'baseline').slice(0, 30).forEach(unsend);
    });
    expect(check(verdict, errors('baseline')).verdict).toBe('unknown');
    expect(check(verdict, errors('steady-fault')).verdict).toBe('pass');
  });
});

it('does not blame the platform in a phase into which a late revert reached', async () => {
  const verdict = await judged((r) => {
    for (const f of r.plan.faults) f.revertMs -= 8000;
    for (const phase of ['baseline', 'steady-fault'])
      for (const x of invocations(r, phase)) Object.assign(x, { status: 500, outcome: 'failed' });
  });
  expect(check(verdict, errors('steady-fault'))).toMatchObject({
    verdict: 'unknown',
    message: expect.stringContaining('kill-builder was reverted later than planned'),
  });
  expect(check(verdict, errors('baseline')).verdict).toBe('fail');
});

describe('quantiles', () => {
  it('do not lose requests without an answer: more than 5 % of them and p95 is infinite', async () => {
    // As k6 writes it: refused at once, with the instant of that. And as a k6 that was killed leaves it.
    for (const how of [{}, { done_us: null }]) {
      const silence = (share: number) =>
        judged((r) =>
          invocations(r, 'baseline')
            .slice(0, Math.round(400 * share))
            .forEach((x) => {
              Object.assign(x, { ...how, status: 0, outcome: 'failed' });
            }),
        );
      expect(check(await silence(0.05), p95('baseline')).verdict).toBe('pass');
      const verdict = await silence(0.055);
      expect(check(verdict, p95('baseline'))).toMatchObject({
        verdict: 'fail',
        message: expect.stringContaining('infinite'),
      });
      expect(verdict.objectives.find((o) => o.checkId === p95('baseline'))?.measured).toBeNull();
    }
  });

  it('are unknown when they depend on what was not sent', async () => {
    const verdict = await judged((r) => {
      r.plan.load.maxUnsentShare = 1;
      invocations(r, 'baseline').slice(0, 30).forEach(unsend);
    });
    expect(check(verdict, p95('baseline')).verdict).toBe('unknown');
    expect(check(verdict, p95('run')).verdict).toBe('pass');
  });

  it('are unknown when they depend on how late the generator was', async () => {
    const late = (change: (r: SyntheticRun) => void = () => {}) =>
      judged((r) => {
        objective(r, 'function-p95').target = 0.1;
        Object.assign(objective(r, 'function-errors'), {
          indicator: {
            type: 'ratio',
            good: 'ok AND latency_s < 0.1',
            total: { table: 'requests', where: "stream = 'invocations'" },
          },
        });
        for (const x of invocations(r, 'baseline').slice(0, 30)) {
          x.sent_us = x.intended_us + 200_000;
          x.done_us = x.sent_us + 10_000;
        }
        change(r);
      });
    const open = await late();
    for (const id of [p95('baseline'), errors('baseline')])
      expect(check(open, id)).toMatchObject({
        verdict: 'unknown',
        message: expect.stringContaining('the generator was late (invocations: p99 200 ms, 50 ms may be)'),
      });
    // What is wrong from the sending on as well is the platform's own.
    const slow = await late((r) => {
      for (const x of invocations(r, 'baseline').slice(0, 30)) x.done_us = (x.sent_us as number) + 150_000;
    });
    // A load that was sent as it should be: the intended start counts.
    const trusted = await late((r) => {
      r.plan.load.maxLatenessMs = 250;
    });
    // Another stream's generator was late.
    const other = await late((r) => {
      for (const x of invocations(r, 'baseline').slice(0, 30)) {
        x.sent_us = x.intended_us;
        x.done_us = x.sent_us + 210_000;
      }
      for (const x of r.requests.filter((q) => q.stream === 'builds'))
        Object.assign(x, { sent_us: x.intended_us + 200_000, done_us: x.intended_us + 300_000 });
    });
    for (const verdict of [slow, trusted, other])
      for (const id of [p95('baseline'), errors('baseline')]) expect(check(verdict, id).verdict).toBe('fail');
  });

  it('are unknown when they depend on how late the generator was in that phase alone', async () => {
    const stalled = (maxMs: number, change: (r: SyntheticRun) => void = () => {}) =>
      judged((r) => {
        Object.assign(objective(r, 'function-p95'), { target: 0.3, phases: ['steady-fault', 'baseline'] });
        Object.assign(objective(r, 'function-p95').indicator, { statistic: 'p99' });
        r.plan.load.maxLatenessMs = maxMs;
        // The host stood still for 0.6 s: 12 calls of 1200 are late, which the p99 of the stream does not show.
        for (const [i, x] of invocations(r, 'steady-fault').slice(0, 12).entries()) {
          x.sent_us = x.intended_us + 600_000 - i * 50_000;
          x.done_us = x.sent_us + 10_000;
        }
        change(r);
      });
    const open = await stalled(50);
    expect(check(open, 'load/invocations').verdict).toBe('pass');
    expect(check(open, p95('steady-fault'))).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining(
        'the generator was late (invocations in steady-fault: p99 500 ms, 50 ms may be)',
      ),
    });
    // In another phase it was not.
    const elsewhere = await stalled(50, (r) => {
      for (const x of invocations(r, 'baseline').slice(0, 12)) x.done_us = x.intended_us + 700_000;
    });
    expect(check(elsewhere, p95('baseline')).verdict).toBe('fail');
    expect(check(await stalled(600), p95('steady-fault')).verdict).toBe('fail');
  });

  it('of the run are unknown when they depend on how late the generator was in one phase', async () => {
    const verdict = await judged((r) => {
      Object.assign(objective(r, 'function-p95'), { target: 0.3, phases: ['run'] });
      Object.assign(objective(r, 'function-p95').indicator, { statistic: 'max' });
      for (const x of invocations(r, 'steady-fault').slice(0, 12)) {
        x.sent_us = x.intended_us + 600_000;
        x.done_us = x.sent_us + 10_000;
      }
    });
    expect(check(verdict, p95('run'))).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('invocations in steady-fault: p99 600 ms'),
    });
  });

  it('count an accepted event that was never processed as worse than any', async () => {
    const verdict = await judged((r) => {
      Object.assign(objective(r, 'function-p95'), {
        phases: ['baseline'],
        indicator: {
          type: 'quantile',
          statistic: 'max',
          value: '(first_processed_us - sent_us) / 1e6',
          rows: { table: 'ledger', where: 'true' },
          unit: 's',
        },
      });
      Object.assign(r.ledger.find((l) => l.phase === 'baseline') as object, {
        processed: 0,
        first_processed_us: null,
        result: null,
        artifact: null,
        artifact_found: null,
      });
    });
    expect(check(verdict, p95('baseline')).verdict).toBe('fail');
  });

  it('are those of a plain sort, for random data, in DuckDB and here', async () => {
    using db = await Database.open();
    let seed = 12345;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x7fffffff;
    };
    for (let round = 0; round < 40; round++) {
      const size = 1 + Math.floor(random() * (round < 20 ? 25 : 3000));
      const values = Array.from({ length: size }, () => Math.floor(random() * (round % 2 === 0 ? 50 : 1e9)));
      const sorted = values.toSorted((a, b) => a - b);
      await db.run(`CREATE OR REPLACE TABLE v AS SELECT unnest([${values.join(',')}])::BIGINT AS v`);
      for (const q of [0.5, 0.9, 0.95, 0.99]) {
        // By the definition: the smallest value that at least the share q does not exceed.
        const truth = sorted.find((x) => sorted.filter((y) => y <= x).length >= q * size - 1e-9);
        expect((await db.row<{ x: number }>(`SELECT quantile_disc(v, ${q}) AS x FROM v`)).x).toBe(truth);
        expect(nearestRank(sorted, q)).toBe(truth);
      }
    }
  });

  it('mean, min and max are exact', async () => {
    for (const [statistic, expected] of [
      ['mean', (10 + 49) / 2 + 0.33],
      ['min', 10.3],
      ['max', 49.36],
    ] as const) {
      const verdict = await judged((r) =>
        Object.assign(objective(r, 'function-p95').indicator, { statistic }),
      );
      const measured = verdict.objectives.find((o) => o.checkId === p95('baseline'))?.measured ?? 0;
      expect(Math.abs(measured * 1000 - expected)).toBeLessThan(0.06);
    }
  });
});

describe('series', () => {
  it('use the samples of the phase', async () => {
    const verdict = await judged((r) => {
      Object.assign(objective(r, 'queue-depth'), { phases: ['baseline', 'steady-fault'], target: 50 });
    });
    expect(check(verdict, 'objective/queue-depth/baseline').verdict).toBe('pass');
    expect(check(verdict, 'objective/queue-depth/steady-fault').verdict).toBe('fail');
  });
  it('prove nothing of seconds in which nobody exposed them, though there are enough in all', async () => {
    const without = (from: number, to: number) => (r: SyntheticRun) =>
      keep(r.series, (s) => !(s.query === 'queue_depth' && s.t_us > from * 1e6 && s.t_us < to * 1e6));
    expect(check(await judged(without(21, 27)), 'objective/queue-depth/run')).toMatchObject({
      verdict: 'unknown',
      message: expect.stringMatching(
        /queue_depth had no sample for 6\S* s, from 21 s on; at most 5 s may be/,
      ),
    });
    expect(check(await judged(without(21, 25)), 'objective/queue-depth/run').verdict).toBe('pass');
    expect(check(await judged(without(54, 100)), 'objective/queue-depth/run').verdict).toBe('unknown');
  });
  it('are unknown without a number, or when the query is said to be missing', async () => {
    expect(
      check(
        await judged((r) => {
          for (const s of r.series) if (s.query === 'queue_depth') s.value = Number.NaN;
        }),
        'objective/queue-depth/run',
      ).verdict,
    ).toBe('unknown');
    expect(
      check(
        await judged((r) =>
          r.journal.push({ t: 60_000, type: 'evidence.missing', what: 'queue_depth', reason: 'gone' }),
        ),
        'objective/queue-depth/run',
      ).verdict,
    ).toBe('unknown');
  });
});

describe('series of one value a phase, over the run', () => {
  const RUN = 'objective/queue-depth/run';
  /** The platform's own share of successes: one value for each of these phases. */
  const shares = (values: Record<string, number>, change: (r: SyntheticRun) => void = () => {}) =>
    judged((r) => {
      Object.assign(objective(r, 'queue-depth'), {
        ...{ op: 'gte', target: 0.9, minSamples: 1 },
        indicator: { type: 'series', statistic: 'min', query: 'shares', kind: 'phase', unit: 'ratio' },
      });
      for (const { name, endMs } of r.plan.phases)
        if (values[name] !== undefined)
          r.series.push({
            ...{ query: 'shares', kind: 'phase', phase: name, labels: '{}' },
            ...{ t_us: endMs * 1000, value: values[name] },
          });
      change(r);
    }).then((verdict) => check(verdict, RUN));
  const all = { baseline: 1, inject: 0.95, 'steady-fault': 1, recover: 1, recovered: 1 };

  it('are its worst phase', async () => {
    expect(await shares(all)).toMatchObject({
      verdict: 'pass',
      message: '0.95 ratio from 5 samples of shares, expected >= 0.9 ratio',
    });
    expect((await shares({ ...all, recover: 0.8 })).verdict).toBe('fail');
  });

  it('prove nothing where a phase has none: its worst may be there', async () => {
    const { inject: _, 'steady-fault': __, ...seen } = all;
    expect(await shares(seen)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringMatching(/; shares has no value in inject, steady-fault: /),
    });
    expect((await shares({ ...all, inject: Number.NaN })).verdict).toBe('unknown');
    // What was seen is bad enough.
    expect((await shares({ ...seen, recover: 0.8 })).verdict).toBe('fail');
  });

  it('need none of a phase in which nobody asked for anything', async () => {
    const { inject: _, ...seen } = all;
    const idle = (r: SyntheticRun) => {
      for (const s of r.plan.streams) keep(s.segments, ({ phase }) => phase !== 'inject');
    };
    expect((await shares(seen, idle)).verdict).toBe('pass');
  });

  it('are as bad as can be with an infinite one', async () => {
    expect(await shares({ ...all, inject: Number.NEGATIVE_INFINITY })).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('-infinite'),
    });
  });
});

describe('a fault that is not proven', () => {
  it('makes a pass unknown where it covers the phase, and leaves a fail', async () => {
    const verdict = await judged((r) => {
      keep(r.journal, (e) => e.type !== 'fault.effect-seen');
      invocations(r, 'steady-fault').slice(0, 100).forEach(fail);
    });
    expect(check(verdict, errors('baseline')).verdict).toBe('pass');
    expect(check(verdict, errors('steady-fault')).verdict).toBe('fail');
    expect(check(verdict, p95('steady-fault')).verdict).toBe('unknown');
    expect(check(verdict, p95('run')).verdict).toBe('unknown');
  });

  it('proves nothing of a phase when it was there for less than half of its time in it', async () => {
    const verdict = await judged((r) => {
      // An injection of fifteen seconds, of the twenty that the fault has.
      for (const e of r.journal) {
        if (e.type === 'fault.injected' || e.type === 'fault.effect-seen') e.t += 14_900;
        if (e.type === 'fault.effect-held') e.t = 36_000;
      }
      for (const o of r.plan.objectives) if (o.name === 'function-errors') o.phases.push('inject');
    });
    expect(check(verdict, errors('inject')).verdict).toBe('unknown');
    expect(check(verdict, errors('run')).verdict).toBe('unknown');
    expect(check(verdict, errors('steady-fault'))).toMatchObject({ verdict: 'unknown' });
    expect(check(verdict, errors('baseline')).verdict).toBe('pass');
  });
});

it('an informational objective is shown and does not fail the run', async () => {
  const verdict = await judged((r) =>
    Object.assign(objective(r, 'function-p95'), { informational: true, target: 0.001 }),
  );
  expect(check(verdict, p95('baseline'))).toMatchObject({ verdict: 'fail', informational: true });
  expect(verdict.verdict).toBe('pass');
});

it('rounds to 6 significant digits, leaves integers, and makes null of what is not finite', () => {
  expect([
    rounded(1 / 3),
    rounded(123456.789),
    rounded(20_000_001),
    rounded(-0),
    rounded(Number.POSITIVE_INFINITY),
    rounded(Number.NaN),
  ]).toEqual([0.333333, 123457, 20_000_001, 0, null, null]);
});
