/** Load, ledger, honesty, core metrics, scaling, and how checks become one verdict. */
import { describe, expect, it } from 'vitest';
import { PROCESS_START } from '../../evidence/tables.ts';
import { requestRows, type SyntheticRun, stream } from '../../evidence/testing.ts';
import type { Check, Verdict } from '../../evidence/verdict.ts';
import { combine } from './combine.ts';
import { increaseOf, resetsOf } from './honesty.ts';
import { check, judged, keep } from './testing.ts';

type Request = SyntheticRun['requests'][number];
const of = (r: SyntheticRun, stream: string) => r.requests.filter((x) => x.stream === stream);
const unsend = (x: Request) =>
  Object.assign(x, { sent_us: null, done_us: null, status: null, outcome: 'unsent', event_id: null });

describe('load', () => {
  const cases: [string, (r: SyntheticRun) => void, string][] = [
    ['too much was not sent', (r) => of(r, 'invocations').slice(0, 13).forEach(unsend), '13 of 1200'],
    [
      'sent late',
      (r) =>
        of(r, 'invocations')
          .slice(0, 13)
          .forEach((x) => {
            x.sent_us = x.intended_us + 60_000;
            x.done_us = x.sent_us + 5000;
          }),
      'p99 of the lateness is 60 ms',
    ],
    [
      'sent late for a stream of its rate',
      (r) => {
        r.plan.load.maxLatenessMs = 1;
        for (const x of of(r, 'invocations').slice(0, 13)) x.sent_us = x.intended_us + 2600;
      },
      'p99 of the lateness is 2.6 ms: more than 2.5 ms',
    ],
    [
      'sent long before its time',
      (r) =>
        Object.assign(of(r, 'invocations')[500] as Request, {
          sent_us: of(r, 'invocations')[490]?.intended_us,
        }),
      'clocks do not agree',
    ],
    [
      'answered before it was sent',
      (r) => Object.assign(of(r, 'invocations')[5] as Request, { done_us: 1 }),
      'contradict',
    ],
    [
      'ok without an answer',
      (r) => Object.assign(of(r, 'invocations')[5] as Request, { done_us: null }),
      'contradict',
    ],
    [
      'in the wrong phase',
      (r) => Object.assign(of(r, 'invocations')[5] as Request, { phase: 'recover' }),
      'baseline has 399 rows: 400',
    ],
    [
      'outside of its phase',
      (r) =>
        Object.assign(of(r, 'invocations')[5] as Request, {
          intended_us: 25_000_000,
          sent_us: 25_000_000,
          done_us: 25_000_001,
        }),
      'outside of it',
    ],
  ];
  for (const [name, change, message] of cases) {
    it(name, async () => {
      const verdict = await judged(change);
      expect(check(verdict, 'load/invocations')).toMatchObject({
        verdict: 'unknown',
        message: expect.stringContaining(message),
      });
      expect(verdict.verdict).toBe('unknown');
    });
  }

  it('is not late when a twentieth of the interval between two requests is not passed', async () => {
    const verdict = await judged((r) => {
      r.plan.load.maxLatenessMs = 1;
      for (const x of of(r, 'invocations').slice(0, 13)) x.sent_us = x.intended_us + 2400;
    });
    expect(check(verdict, 'load/invocations').verdict).toBe('pass');
  });

  it('lies a little beyond the end of a phase when k6 began a little after the origin, and no more than it may be late', async () => {
    // The last request of a phase is a period of 50 ms before its end.
    const begun = (afterMs: number) =>
      judged((r) => {
        for (const x of of(r, 'invocations')) {
          x.intended_us += afterMs * 1000;
          x.sent_us = (x.sent_us as number) + afterMs * 1000;
          x.done_us = (x.done_us as number) + afterMs * 1000;
        }
      }).then((verdict) => check(verdict, 'load/invocations'));
    expect((await begun(63)).verdict).toBe('pass');
    expect((await begun(99)).verdict).toBe('pass');
    expect((await begun(101)).verdict).toBe('unknown');
    expect(await begun(200)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('rows of baseline were intended outside of it'),
    });
  });

  it('one per cent unsent is tolerated by the plan', async () => {
    expect(
      check(await judged((r) => of(r, 'invocations').slice(0, 12).forEach(unsend)), 'load/invocations')
        .verdict,
    ).toBe('pass');
  });

  it('a stream that nobody planned is not trusted', async () => {
    const verdict = await judged((r) =>
      r.requests.push({ ...(r.requests[0] as Request), stream: 'stranger' }),
    );
    expect(check(verdict, 'load/unplanned').verdict).toBe('unknown');
  });
});

describe('ledger', () => {
  const row = (r: SyntheticRun) => r.ledger[30] as SyntheticRun['ledger'][number];
  const cases: [string, (r: SyntheticRun) => void, string, Verdict][] = [
    [
      'lost',
      (r) =>
        Object.assign(row(r), { processed: 0, first_processed_us: null, result: null, artifact_found: null }),
      'ledger/lost',
      'fail',
    ],
    ['processed twice', (r) => Object.assign(row(r), { processed: 2 }), 'ledger/duplicated', 'fail'],
    [
      'never sent',
      (r) =>
        r.ledger.push({
          ...row(r),
          event_id: 'somebody',
          stream: null,
          phase: null,
          sent_us: null,
          answered_us: null,
          status: null,
          accepted: false,
        }),
      'ledger/unexpected',
      'fail',
    ],
    [
      'image that nobody asked for',
      (r) => Object.assign(row(r), { artifact_found: null }),
      'ledger/artifacts',
      'unknown',
    ],
    [
      'image not in the registry',
      (r) => Object.assign(row(r), { artifact_found: false }),
      'ledger/artifacts',
      'fail',
    ],
    [
      'another event than was sent',
      (r) => Object.assign(row(r), { event_id: 'somebody' }),
      'ledger/complete',
      'unknown',
    ],
    [
      'accepted, says the ledger alone',
      (r) =>
        Object.assign(r.requests.find((x) => x.event_id === row(r).event_id) as Request, {
          status: 503,
          outcome: 'failed',
        }),
      'ledger/complete',
      'unknown',
    ],
    [
      'processed at no time',
      (r) => Object.assign(row(r), { first_processed_us: null }),
      'ledger/complete',
      'unknown',
    ],
    [
      'a drain that ended early',
      (r) =>
        r.journal.forEach((e) => {
          if (e.type === 'drain.ended') e.outstanding = 1;
        }),
      'ledger/drain',
      'unknown',
    ],
  ];
  for (const [name, change, id, expected] of cases) {
    it(`${name}: ${expected}`, async () => {
      const verdict = await judged(change);
      expect(check(verdict, id).verdict).toBe(expected);
      expect(verdict.verdict).toBe(expected);
    });
  }

  it('counts per phase and for the run; what was refused and processed is recovered, not lost', async () => {
    const verdict = await judged((r) => {
      const refused = r.requests.find((x) => x.event_id === row(r).event_id) as Request;
      Object.assign(refused, { status: 503, outcome: 'failed' });
      Object.assign(row(r), { status: 503, accepted: false });
      r.plan.honesty = [];
    });
    expect(verdict.verdict).toBe('pass');
    expect(verdict.ledger.find((l) => l.phase === 'baseline')).toEqual({
      phase: 'baseline',
      attempted: 80,
      accepted: 79,
      processed: 79,
      lost: 0,
      failed: 0,
      duplicated: 0,
      unexpected: 0,
      recovered: 1,
    });
    expect(verdict.ledger.at(-1)).toEqual({
      phase: 'run',
      attempted: 240,
      accepted: 239,
      processed: 239,
      lost: 0,
      failed: 0,
      duplicated: 0,
      unexpected: 0,
      recovered: 1,
    });
  });

  it('what came in although the generator crashed is not held against the platform', async () => {
    const verdict = await judged((r) => {
      r.journal.forEach((e) => {
        if (e.type === 'load.ended') e.exitCode = 107;
      });
      r.ledger.push({
        ...row(r),
        event_id: 'somebody',
        stream: null,
        phase: null,
        sent_us: null,
        answered_us: null,
        status: null,
        accepted: false,
      });
    });
    expect(check(verdict, 'ledger/unexpected').verdict).toBe('unknown');
    expect(verdict.verdict).toBe('unknown');
  });
});

describe('commands that were refused', () => {
  /** Of the events that were sent between these instants, ms, every third. */
  const refuse = (r: SyntheticRun, fromMs: number, toMs: number) => {
    r.plan.honesty = [];
    const sent = r.ledger.filter(
      (x) => x.sent_us !== null && x.sent_us >= fromMs * 1000 && x.sent_us < toMs * 1000,
    );
    for (const one of sent.filter((_, i) => i % 3 === 0)) {
      const request = r.requests.find((x) => x.event_id === one.event_id) as Request;
      Object.assign(request, { status: 429, outcome: 'failed' });
      const nothing = { processed: 0, first_processed_us: null, result: null };
      Object.assign(one, { status: 429, accepted: false, ...nothing, artifact: null, artifact_found: null });
    }
  };

  it('fail a run, though all that was accepted was built', async () => {
    const verdict = await judged((r) => refuse(r, 0, 40_000));
    expect(check(verdict, 'ledger/accepted')).toMatchObject({
      verdict: 'fail',
      message: '54 of 240 events of builds were not accepted, at most 2 may be',
    });
    expect(check(verdict, 'ledger/lost').verdict).toBe('pass');
    expect(verdict.verdict).toBe('fail');
  });

  it('are judged stream by stream: few of one kind are not lost among many of another', async () => {
    const verdict = await judged((r) => {
      r.plan.ledger.maxRefusedShare = 0.1;
      for (const [i, one] of r.ledger.entries()) if (i < 40) one.stream = 'seldom';
      refuse(r, 0, 4000);
    });
    expect(check(verdict, 'ledger/accepted')).toMatchObject({
      verdict: 'fail',
      message: expect.stringMatching(/^\d+ of 40 events of seldom were not accepted, at most 4 may be/),
    });
  });

  it('may be few', async () => {
    expect(check(await judged((r) => refuse(r, 0, 1500)), 'ledger/accepted').verdict).toBe('pass');
    expect(check(await judged((r) => refuse(r, 0, 2500)), 'ledger/accepted').verdict).toBe('fail');
  });

  it('do not count while a fault cuts the way in, and until the platform must be back', async () => {
    const within = (fromMs: number, toMs: number) =>
      judged((r) => {
        r.plan.ledger.refusedWhile = ['kill-builder'];
        refuse(r, fromMs, toMs);
      }).then((verdict) => check(verdict, 'ledger/accepted'));
    const fault = (await judged(() => {})).faults[0];
    const [injected = 0, gone = 0] = [fault?.injectedMs ?? 0, fault?.effectGoneMs ?? 0];
    expect(await within(injected + 100, gone)).toMatchObject({
      verdict: 'pass',
      message: expect.stringMatching(/^0 of \d+ .*, beside those while kill-builder lasted/),
    });
    // Its recovery may take 5 s.
    expect((await within(gone, gone + 5000)).verdict).toBe('pass');
    expect((await within(injected - 5000, injected - 100)).verdict).toBe('fail');
    expect((await within(gone + 9000, gone + 20_000)).verdict).toBe('fail');
  });

  it('are not judged in a bundle that was written before they were', async () => {
    const verdict = await judged((r) => {
      delete r.plan.ledger.maxRefusedShare;
      refuse(r, 0, 40_000);
    });
    expect(verdict.checks.some(({ id }) => id === 'ledger/accepted')).toBe(false);
  });
});

it('the ledger says nothing where every event was refused', async () => {
  const verdict = await judged((r) => {
    for (const x of r.requests.filter(({ event_id }) => event_id !== null))
      Object.assign(x, { status: 503, outcome: 'failed' });
    for (const x of r.ledger)
      Object.assign(x, {
        ...{ status: 503, accepted: false, processed: 0, first_processed_us: null },
        ...{ result: null, artifact: null, artifact_found: null },
      });
  });
  expect(check(verdict, 'ledger/complete')).toMatchObject({
    verdict: 'unknown',
    message: expect.stringMatching(/no event of builds.* was accepted/),
  });
});

describe('telemetry-honest', () => {
  it('does not blame the platform for requests that it came to after their clients had given up', async () => {
    const gaveUp = (n: number, status: number) =>
      judged((r) => {
        Object.assign(r.plan.honesty[0] as object, {
          client: 'SELECT answered_us AS t_us, 1 AS n FROM ledger WHERE accepted',
        });
        const accepted = r.requests.filter((x) => x.status === 202);
        for (const x of accepted.slice(0, n)) Object.assign(x, { status, outcome: 'timeout' });
        for (const x of r.ledger.slice(0, n)) Object.assign(x, { status, accepted: false });
        // Of another stream: nobody counted these as events.
        for (const x of r.requests.filter(({ stream }) => stream === 'invocations').slice(0, 100))
          Object.assign(x, { status: 0, outcome: 'timeout' });
      }).then((verdict) => check(verdict, 'telemetry/events-accepted'));
    expect(await gaveUp(40, 0)).toMatchObject({
      verdict: 'pass',
      message: expect.stringContaining('40 of which clients may not have had an answer to'),
    });
    // Of what was refused, everybody knows.
    expect((await gaveUp(40, 503)).verdict).toBe('fail');
  });

  const lie = (r: SyntheticRun, factor: number) => {
    for (const s of r.series) if (s.kind === 'raw') s.value = Math.floor(s.value * factor);
  };
  it('fails when the platform counts too little or too much', async () => {
    for (const factor of [0.9, 1.1]) {
      const verdict = await judged((r) => lie(r, factor));
      expect(check(verdict, 'telemetry/events-accepted').verdict).toBe('fail');
      expect(verdict.verdict).toBe('fail');
    }
    expect((await judged((r) => lie(r, 0.985))).verdict).toBe('pass');
  });

  it('takes resets and new series into account', () => {
    const s = (labels: string, ...values: [number, number][]) =>
      values.map(([t_us, value]) => ({ labels, t_us, value, life: 0 }));
    expect(increaseOf(s('a', [1, 5], [2, 9], [3, 2], [4, 6]))).toBe(15);
    expect(increaseOf(s('a', [-1, 100], [0, 103], [1, 105]))).toBe(2);
    expect(increaseOf([...s('a', [0, 100], [1, 101]), ...s('b', [7, 3])])).toBe(4);
    expect(increaseOf(s('a', [0, 100], [1, 4]))).toBe(4);
    expect(increaseOf(s('a', [1, 5], [2, 9], [3, 2], [4, 6]), 2, 3)).toBe(2);
  });

  it('knows a process that was started anew, whatever it has counted by its first scrape', () => {
    const s = (...values: [number, number, number][]) =>
      values.map(([t_us, value, life]) => ({ labels: 'a', t_us, value, life }));
    const overtaken = s([0, 0, 7], [1, 80, 7], [20, 95, 9], [21, 97, 9]);
    expect(increaseOf(overtaken)).toBe(177);
    expect(resetsOf(overtaken)).toEqual([{ fromUs: 1, toUs: 20 }]);
    // Two behind one address for a while.
    expect(increaseOf(s([1, 80, 7], [2, 3, 9], [3, 81, 7], [4, 5, 9]))).toBe(86);
  });

  it('takes the life of a process from the same scrape', async () => {
    const verdict = await judged((r) => {
      const raw = r.series
        .filter((x) => x.query === 'cloudevents_received_total')
        .sort((a, b) => a.t_us - b.t_us);
      // Away for ten seconds, nothing asked of it meanwhile; back, it is not scraped before it has counted more than before.
      const away = (x: { t_us: number }) => x.t_us > 15_000_000 && x.t_us < 45_000_000;
      const old = raw.filter((x) => x.t_us <= 15_000_000).at(-1)?.value ?? 0;
      keep(r.series, (x) => x.query !== 'cloudevents_received_total' || !away(x));
      for (const x of raw) {
        x.labels = '{"instance":"i","job":"receiver"}';
        const isNew = x.t_us >= 45_000_000;
        if (isNew) x.value -= old;
        r.series.push({ ...x, query: 'process_start_time_seconds', value: isNew ? 9 : 7 });
      }
    });
    expect(check(verdict, 'telemetry/events-accepted')).toMatchObject({
      verdict: 'pass',
      message: expect.stringContaining('counted 240'),
    });
  });

  it('knows between which samples a process died, and takes those that died together as one', () => {
    const s = (labels: string, ...values: [number, number][]) =>
      values.map(([t_us, value]) => ({ labels, t_us, value, life: 0 }));
    expect(resetsOf(s('a', [1, 5], [2, 9], [5, 2], [6, 6], [7, 0]))).toEqual([
      { fromUs: 2, toUs: 5 },
      { fromUs: 6, toUs: 7 },
    ]);
    expect(resetsOf([...s('a', [1, 5], [5, 2]), ...s('b', [2, 5], [6, 2])])).toEqual([
      { fromUs: 1, toUs: 6 },
    ]);
    expect(resetsOf(s('a', [-2, 5], [-1, 1], [3, 2]))).toEqual([]);
  });

  it('forgives what died uncounted, never what was counted too much', async () => {
    const restart = (r: SyntheticRun, extra: number) => {
      Object.assign(r.plan.honesty[0] as object, { tolerance: 0, toleranceAbs: 0 });
      const raw = r.series
        .filter((s) => s.query === 'cloudevents_received_total')
        .sort((a, b) => a.t_us - b.t_us);
      const second = raw.slice(Math.floor(raw.length / 2));
      // What came since the last sample before the restart is never scraped.
      const lost = second[0]?.value ?? 0;
      for (const s of second) s.value += extra - lost;
    };
    const died = check(await judged((r) => restart(r, 0)), 'telemetry/events-accepted');
    expect(died.verdict).toBe('pass');
    expect(died.message).toMatch(/and \d+ went with a process that ended before its scrape: 0 apart/);
    const more = check(await judged((r) => restart(r, 1000)), 'telemetry/events-accepted');
    expect(more.verdict).toBe('fail');
    // What was lost outside of the gap is still missing.
    const less = await judged((r) => {
      restart(r, 0);
      for (const s of r.series) if (s.kind === 'raw' && s.t_us > 50_000_000) s.value -= 1;
    });
    expect(check(less, 'telemetry/events-accepted').verdict).toBe('fail');
  });
});

describe('a counter that is not there before its first event', () => {
  const verdictOf = async (client: string, scraped: boolean, absentBeforeFirst = true) => {
    const verdict = await judged((r) => {
      Object.assign(r.plan.honesty[0] as object, {
        client,
        absentBeforeFirst,
        tolerance: 0,
        toleranceAbs: 0,
      });
      const counted = r.series.filter((s) => s.query === 'cloudevents_received_total');
      if (scraped) for (const s of counted) s.query = PROCESS_START;
      else keep(r.series, (s) => s.query !== 'cloudevents_received_total');
    });
    return check(verdict, 'telemetry/events-accepted').verdict;
  };
  const none = 'SELECT 0 AS t_us, 0 AS n';

  it('has counted nothing, which is right when there was nothing, and wrong otherwise', async () => {
    expect(await verdictOf(none, true)).toBe('pass');
    expect(await verdictOf('SELECT 0 AS t_us, 1 AS n', true)).toBe('fail');
  });

  it('tells nothing where nothing was scraped, nor when it should have been there', async () => {
    expect(await verdictOf(none, false)).toBe('unknown');
    expect(await verdictOf(none, true, false)).toBe('unknown');
  });
});

describe('core metrics', () => {
  it('give exact rates, time-weighted concurrency and the law of Little', async () => {
    const verdict = await judged((r) => {
      for (const x of of(r, 'invocations')) x.done_us = (x.sent_us as number) + 500_000;
    });
    const core = verdict.core.find((m) => m.stream === 'invocations' && m.phase === 'baseline');
    // 400 requests of 0.5 s: those sent in the last half second are in flight within the phase for a part of it only.
    const inFlight = Array.from({ length: 400 }, (_, n) =>
      Math.min(500_000, 20_000_000 - (n * 50_000 + 300 + (n % 7) * 10)),
    ).reduce((a, b) => a + b, 0);
    expect(core).toMatchObject({
      requests: 400,
      unsent: 0,
      failed: 0,
      qps: 20,
      tps: 20,
      prometheus: { qps: 20.04 },
    });
    expect(core?.concurrency).toBe(Number((inFlight / 20e6).toPrecision(6)));
    expect(core?.littlesLaw.predicted).toBe(10);
    expect(core?.littlesLaw.residual).toBeCloseTo(1 - inFlight / 20e6 / 10, 5);
    expect(core?.responseTime.max).toBe(0.50036);
    const next = verdict.core.find((m) => m.stream === 'invocations' && m.phase === 'steady-fault');
    // In the middle of a run, what comes over from the phase before makes up for what goes on into the next.
    expect(next?.littlesLaw.residual).toBeLessThan(0.002);
  });
});

describe('scaling', () => {
  /** Two functions of 20 requests a second; nothing between 20 and 40 s; pods as given. */
  const scaled = (
    pods: [number, number][],
    target: number,
    kind: 'to_zero' | 'up',
    phases: string[],
    readyLate = 0,
    change: (run: SyntheticRun) => void = () => {},
  ) =>
    judged((r) => {
      const idle = (x: { intended_us: number }) => x.intended_us >= 20_000_000 && x.intended_us < 40_000_000;
      keep(r.requests, (x) => x.stream === 'builds' || !idle(x));
      of(r, 'invocations').forEach((x, n) => {
        x.n = n;
      });
      for (const s of r.plan.streams.find((x) => x.name === 'invocations')?.segments ?? [])
        if (s.startMs >= 20_000 && s.startMs < 40_000) Object.assign(s, { count: 0, rate: 0 });
      for (const f of ['fn-0', 'fn-1'])
        for (const [query, late] of [
          ['pods', 0],
          ['pods_ready', readyLate],
        ] as const)
          for (const [ms, value] of pods)
            r.series.push({
              ...{ query, kind: 'observed', phase: null, labels: `{"function":"${f}"}` },
              ...{ t_us: (ms + (value > 0 ? late : 0)) * 1000, value },
            });
      r.plan.objectives = [
        {
          name: 'scaling',
          title: 'Scaling',
          source: 'SRE guide',
          indicator: {
            type: 'quantile',
            statistic: 'max',
            value: 'seconds',
            rows: { table: 'scaling', where: `kind = '${kind}'` },
            unit: 's',
          },
          op: 'lt',
          target,
          timeScaled: true,
          phases,
          minSamples: 1,
          informational: false,
        },
      ];
      change(r);
    });
  const measured = async (v: ReturnType<typeof scaled>) =>
    (await v).objectives.map((o) => [o.verdict, o.measured, o.samples]);

  it('measures from the last answer to no pods, and from the first request to a pod', async () => {
    const pods: [number, number][] = [
      [0, 1],
      [28_000, 0],
      [41_200, 1],
    ];
    const [idle, none] = await measured(scaled(pods, 10, 'to_zero', ['inject', 'recovered']));
    expect(idle?.[0]).toBe('pass');
    expect(idle?.[1]).toBeCloseTo(8, 0);
    expect(idle?.[2]).toBe(2);
    expect(none?.[0]).toBe('unknown');
    const [up] = await measured(scaled(pods, 1.3, 'up', ['recover']));
    expect(up?.[0]).toBe('pass');
    expect(up?.[1]).toBeCloseTo(1.2, 1);
  });

  it('takes a pod that is ready for an instance, not one that is on its way', async () => {
    const pods: [number, number][] = [
      [0, 1],
      [28_000, 0],
      [40_100, 1],
    ];
    const [up] = await measured(scaled(pods, 1.3, 'up', ['recover'], 2000));
    expect(up?.[0]).toBe('fail');
    expect(up?.[1]).toBeCloseTo(2.1, 1);
  });

  it('tells by its id which function a request called, also after one that was never started', async () => {
    const pods: [number, number][] = [
      [0, 1],
      [28_000, 0],
      [41_200, 1],
    ];
    // From 40 s on only fn-0 is called, and the first request of that time is not started: n is one more than what was counted.
    const onlyTheFirst = (r: SyntheticRun) => {
      const late = of(r, 'invocations').filter((x) => x.intended_us >= 40_000_000);
      const [dropped] = late;
      const started = new Map(late.slice(1).map((x) => [x, (x.event_id as string).split('.')]));
      for (const [x, id] of started) x.event_id = [...id.slice(0, -1), Number(id.at(-1)) - 1].join('.');
      const offset = (segment: number) =>
        r.plan.streams
          .find((s) => s.name === 'invocations')
          ?.segments.slice(0, segment)
          .reduce((n, s) => n + s.count, 0) ?? 0;
      const called = (x: Request) => {
        const [segment, n] = (x.event_id as string).split('.').slice(-2).map(Number) as [number, number];
        return (offset(segment) + n) % 2;
      };
      keep(r.requests, (x) => x !== dropped && !(started.has(x) && called(x) === 1));
      keep(
        r.series,
        (s) => !(s.labels.includes('fn-1') && s.query.startsWith('pods') && s.t_us > 40_000_000),
      );
    };
    const [up] = await measured(scaled(pods, 1.3, 'up', ['run'], 0, onlyTheFirst));
    expect([up?.[0], up?.[2]]).toEqual(['pass', 1]);
  });

  it('fails a function that is never scaled to zero, when that was seen for long enough', async () => {
    expect((await measured(scaled([[0, 1]], 10, 'to_zero', ['run'])))[0]?.[0]).toBe('fail');
    expect((await measured(scaled([[0, 1]], 25, 'to_zero', ['run'])))[0]?.[0]).toBe('unknown');
  });

  const between = (from: number, to: number) => (x: { intended_us: number }) =>
    x.intended_us >= from * 1e6 && x.intended_us < to * 1e6;
  /** The harness's own changes of both functions, in this second. */
  const updated = (r: SyntheticRun, at: number) => {
    const updates = stream('updates', 'updates', 2, false, { prefix: 'fn', functions: 2 });
    r.plan.streams.push(updates);
    r.requests.push(...requestRows(updates, () => 5, 202).filter(between(at, at + 1)));
  };

  it('counts to the last of its pods: what comes back though nobody asked for it is not at zero', async () => {
    const flaps: [number, number][] = [
      ...[[0, 1] as [number, number], [25_000, 0] as [number, number], [30_000, 1] as [number, number]],
      ...[[35_000, 0] as [number, number], [41_200, 1] as [number, number]],
    ];
    const [idle] = await measured(scaled(flaps, 10, 'to_zero', ['inject', 'run']));
    expect(idle?.[0]).toBe('fail');
    expect(idle?.[1]).toBeCloseTo(15, 0);
    expect((await measured(scaled(flaps, 16, 'to_zero', ['run'])))[0]?.[0]).toBe('pass');
  });

  it('takes one that came back and stayed for one that did not get there', async () => {
    const stays: [number, number][] = [
      [0, 1],
      [25_000, 0],
      [30_000, 1],
    ];
    const [short] = await measured(scaled(stays, 15, 'to_zero', ['run']));
    expect(short?.[0]).toBe('fail');
    expect(short?.[1]).toBeCloseTo(20, 0);
    // For longer than 20 s nobody looked.
    expect((await measured(scaled(stays, 25, 'to_zero', ['run'])))[0]?.[0]).toBe('unknown');
  });

  it('takes pods that come right before a request for what it asked for: clocks differ by as much', async () => {
    const early: [number, number][] = [
      [0, 1],
      [28_000, 0],
      [39_900, 1],
    ];
    const [idle] = await measured(scaled(early, 10, 'to_zero', ['run']));
    expect(idle?.[0]).toBe('pass');
    expect(idle?.[1]).toBeCloseTo(8, 0);
  });

  it('counts from when a pod came, where there was none when the last request ended', async () => {
    const late: [number, number][] = [
      [0, 0],
      [22_000, 1],
      [27_000, 0],
      [41_200, 1],
    ];
    const [idle] = await measured(scaled(late, 5.5, 'to_zero', ['inject']));
    expect([idle?.[0], idle?.[1]]).toEqual(['pass', 5]);
  });

  it('looks no further than to what the harness itself changed of the function', async () => {
    const pods: [number, number][] = [
      ...[[0, 1] as [number, number], [25_000, 0] as [number, number], [30_800, 1] as [number, number]],
      ...[[36_000, 0] as [number, number], [41_200, 1] as [number, number]],
    ];
    const change = (r: SyntheticRun) => updated(r, 30);
    const [idle, up] = [
      await measured(scaled(pods, 6, 'to_zero', ['run'], 0, change)),
      await measured(scaled(pods, 1.3, 'up', ['run'], 0, change)),
    ].map(([row]) => row);
    expect(idle?.[0]).toBe('pass');
    expect(idle?.[1]).toBeCloseTo(5, 0);
    // A change asks for no pod.
    expect([up?.[0], up?.[2]]).toEqual(['pass', 2]);
    // What was not at zero by then may have been on its way.
    const slow: [number, number][] = [
      [0, 1],
      [36_000, 0],
      [41_200, 1],
    ];
    expect((await measured(scaled(slow, 12, 'to_zero', ['run'], 0, change)))[0]?.[0]).toBe('unknown');
  });

  describe('while nobody saw the pods', () => {
    const pods: [number, number][] = [
      [0, 1],
      [28_000, 0],
      [41_200, 1],
    ];
    /** Spans, ms; the last may be open. */
    const blind =
      (...spans: [number, number?][]) =>
      (r: SyntheticRun) => {
        for (const [from, to] of spans)
          for (const [ms, value] of [[from, 1] as const, ...(to === undefined ? [] : [[to, 0] as const])])
            r.series.push({
              ...{ query: 'pods_unseen', kind: 'observed', phase: null, labels: '{}' },
              ...{ t_us: ms * 1000, value },
            });
      };
    const verdicts = async (target: number, kind: 'to_zero' | 'up', ...spans: [number, number?][]) =>
      (await measured(scaled(pods, target, kind, ['run'], 0, blind(...spans))))[0]?.[0];

    it('no row that this touches passes or fails', async () => {
      expect(await verdicts(10, 'to_zero', [26_000, 27_000])).toBe('unknown');
      expect(await verdicts(7, 'to_zero', [26_000, 27_000])).toBe('unknown');
      // It may have come back meanwhile.
      expect(await verdicts(10, 'to_zero', [33_000, 35_000])).toBe('unknown');
      expect(await verdicts(1.3, 'up', [40_500, 41_000])).toBe('unknown');
      expect(await verdicts(1, 'up', [40_500, 41_000])).toBe('unknown');
    });

    it('nor one that would have been, had it been seen', async () => {
      // Whether it was at zero when it was asked for, nobody knows; the other time is known, and is not enough.
      const warm: [number, number][] = [
        [0, 0],
        [500, 1],
      ];
      const [up] = await measured(scaled(warm, 5, 'up', ['run'], 0, blind([39_000, 41_000])));
      expect(up?.[0]).toBe('unknown');
      const [seen] = await measured(scaled(warm, 5, 'up', ['run'], 0, blind([41_000, 43_000])));
      expect(seen?.[0]).toBe('pass');
      // Nor whether there was one when its last request ended.
      const gone: [number, number][] = [
        [0, 0],
        [45_000, 1],
        [61_500, 0],
      ];
      const [idle] = await measured(scaled(gone, 5, 'to_zero', ['run'], 0, blind([19_000, 21_000])));
      expect(idle?.[0]).toBe('unknown');
      expect((await measured(scaled(gone, 5, 'to_zero', ['run'])))[0]?.[0]).toBe('pass');
    });

    it('the rows that it does not touch are judged by themselves', async () => {
      const still: [number, number][] = [...pods, [61_500, 0]];
      const judged = async (target: number, ...spans: [number, number?][]) =>
        (await measured(scaled(still, target, 'to_zero', ['run'], 0, blind(...spans))))[0];
      expect((await judged(10, [5000, 9000], [45_000, 50_000]))?.[0]).toBe('pass');
      // One was seen to be too long.
      expect((await judged(7, [60_500, 61_000]))?.[0]).toBe('fail');
      expect((await judged(9, [60_500]))?.[0]).toBe('unknown');
    });

    it('a share of rows depends on them too', async () => {
      const share = (r: SyntheticRun, target: number) => {
        blind([26_000, 27_000])(r);
        Object.assign(r.plan.objectives[0] as object, {
          indicator: {
            type: 'ratio',
            good: 'seconds < 10',
            total: { table: 'scaling', where: "kind = 'to_zero'" },
          },
          ...{ op: 'gte', target },
        });
      };
      const [row] = await measured(
        scaled([...pods, [61_500, 0]], 0, 'to_zero', ['run'], 0, (r) => share(r, 0.5)),
      );
      expect(row?.[0]).toBe('pass');
      const [more] = await measured(
        scaled([...pods, [61_500, 0]], 0, 'to_zero', ['run'], 0, (r) => share(r, 0.9)),
      );
      expect(more?.[0]).toBe('unknown');
    });

    it('says how many, and why', async () => {
      const verdict = await scaled(
        [...pods, [61_500, 0]],
        10,
        'to_zero',
        ['run'],
        0,
        blind([26_000, 27_000]),
      );
      expect(check(verdict, 'objective/scaling/run').message).toMatch(
        /without the 2 rows of scaling in whose time nobody saw the pods: the answer depends on them/,
      );
    });
  });

  it('fails a function that never comes up again', async () => {
    expect(
      (
        await measured(
          scaled(
            [
              [0, 1],
              [25_000, 0],
            ],
            15,
            'up',
            ['run'],
          ),
        )
      )[0]?.[0],
    ).toBe('fail');
  });
});

describe('one verdict of many', () => {
  const some = (verdict: Verdict, group: Check['group'] = 'objective', informational = false): Check => ({
    id: `${group}/${verdict}`,
    group,
    title: '',
    verdict,
    message: 'm',
    informational,
    evidence: [],
  });
  it('error before fail before unknown before pass', () => {
    const all: Verdict[] = ['pass', 'unknown', 'fail', 'error'];
    for (const a of all)
      for (const b of all)
        expect(combine([some(a), some(b)], false).verdict).toBe(
          all[Math.max(all.indexOf(a), all.indexOf(b))],
        );
    expect(combine([some('unknown'), some('pass'), some('error'), some('fail')], false).reasons).toEqual([
      'objective/error: m',
      'objective/fail: m',
      'objective/unknown: m',
    ]);
  });
  it('interrupted is unknown, but not when the harness failed', () => {
    expect(combine([some('fail')], true).verdict).toBe('unknown');
    expect(combine([some('pass')], true).verdict).toBe('unknown');
    expect(combine([some('error')], true).verdict).toBe('error');
  });
  it('nothing judged is never a pass', () => {
    expect(combine([], false).verdict).toBe('unknown');
    expect(
      combine([some('pass', 'harness'), some('pass', 'load'), some('pass', 'fault')], false).verdict,
    ).toBe('unknown');
    expect(combine([some('pass', 'objective', true)], false).verdict).toBe('unknown');
  });
});
