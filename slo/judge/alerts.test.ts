import { describe, expect, it } from 'vitest';
import type { AlertChange } from '../../evidence/alerts.ts';
import { RULE_METRIC } from '../../evidence/detectable.ts';
import { HEARTBEAT, MONITORING_STARTED } from '../../evidence/tables.ts';
import type { SyntheticRun } from '../../evidence/testing.ts';
import { historiesOf, merged } from './alert-history.ts';
import { check, judged, keep } from './testing.ts';

const MUST = 'alert/BuilderServiceDown/must-fire/kill-builder';
const MAY = 'alert/RabbitMQQueueBacklog/may-fire';
const MUST_NOT = 'alert/BuildFailureRateHigh/must-not-fire';
const labels = { severity: 'critical', job: 'builder' };

const prometheus = (
  t: number,
  alert: string,
  state: 'pending' | 'firing' | 'inactive',
  l: Record<string, string> = labels,
): AlertChange => ({ source: 'prometheus', t, alert, labels: l, state });
const receiver = (
  t: number,
  alert: string,
  state: 'firing' | 'resolved',
  l: Record<string, string> = labels,
  startsAt = t,
): AlertChange => ({ source: 'receiver', t, alert, labels: l, state, startsAt });

const fired = (alert: string, from: number, to: number | null): AlertChange[] => [
  prometheus(from, alert, 'firing'),
  ...(to === null ? [] : [prometheus(to, alert, 'inactive')]),
];

function shift(r: SyntheticRun, which: (a: AlertChange) => boolean, t: number): void {
  for (const a of r.alerts.filter(which)) a.t = t;
  r.alerts.sort((a, b) => a.t - b.t);
}

describe('must-fire', () => {
  it('measures detection, delivery and clearing from the effect', async () => {
    const verdict = await judged(() => {});
    expect(verdict.alerts[0]).toEqual({
      checkId: MUST,
      alert: 'BuilderServiceDown',
      expect: 'must-fire',
      fault: 'kill-builder',
      verdict: 'pass',
      pending: [{ fromMs: 20_800, toMs: 22_800 }],
      firing: [{ fromMs: 22_800, toMs: 42_300 }],
      delivered: [
        { t: 23_100, state: 'firing' },
        { t: 43_400, state: 'resolved' },
      ],
      detectionMs: 2500,
      deliveryMs: 2800,
      clearMs: 1400,
    });
  });

  const cases: [string, (r: SyntheticRun) => void, 'fail' | 'unknown', string][] = [
    [
      'fired again after it had to be over, within what its rule remembers',
      (r) => {
        for (const rule of r.plan.rules) rule.rangeMs = 60_000;
        r.alerts.push(...fired('BuilderServiceDown', 55_000, null));
      },
      'fail',
      'it fired at 55 s, where no fault excuses it',
    ],
    ['never fired', (r) => keep(r.alerts, () => false), 'fail', 'not firing within 7 s'],
    [
      'fired, never delivered',
      (r) => keep(r.alerts, (a) => a.source === 'prometheus'),
      'fail',
      'not delivered',
    ],
    ['delivered, never fired', (r) => keep(r.alerts, (a) => a.source === 'receiver'), 'fail', 'not firing'],
    [
      'only pending',
      (r) => keep(r.alerts, (a) => a.source === 'prometheus' && a.state !== 'firing'),
      'fail',
      'not firing',
    ],
    [
      'fired too late',
      (r) => shift(r, (a) => a.source === 'prometheus' && a.state === 'firing', 28_000),
      'fail',
      'fired 7.7 s after the effect',
    ],
    [
      'delivered too late',
      (r) => shift(r, (a) => a.source === 'receiver' && a.state === 'firing', 27_400),
      'fail',
      'delivered 7.1 s after the effect',
    ],
    [
      'delivered before the injection only',
      (r) => shift(r, (a) => a.source === 'receiver' && a.state === 'firing', 19_000),
      'fail',
      'no fault excuses',
    ],
    [
      'delivered without its labels',
      (r) =>
        r.alerts.forEach((a) => {
          a.labels = { severity: 'warning' };
        }),
      'fail',
      'without the labels',
    ],
    [
      'was firing before',
      (r) =>
        r.alerts.unshift(
          ...fired('BuilderServiceDown', 15_000, null).map((a) => ({ ...a, labels: { job: 'other' } })),
        ),
      'fail',
      'already firing when the fault was injected',
    ],
    [
      'was pending before',
      (r) => shift(r, (a) => a.state === 'pending', 19_500),
      'unknown',
      'pending since 19.5 s',
    ],
    [
      'fired once more long after',
      (r) => r.alerts.push(...fired('BuilderServiceDown', 55_000, 56_000)),
      'fail',
      'no fault excuses',
    ],
    [
      'was resolved in the middle of the fault',
      (r) => {
        shift(r, (a) => a.alert === 'BuilderServiceDown' && a.state === 'inactive', 26_000);
        shift(r, (a) => a.alert === 'BuilderServiceDown' && a.state === 'resolved', 26_500);
      },
      'fail',
      'it stopped firing 14.001 s before the fault was reverted',
    ],
    [
      'did not clear',
      (r) => keep(r.alerts, (a) => a.state !== 'inactive'),
      'fail',
      'did not clear within 9 s',
    ],
    [
      'cleared too late',
      (r) => shift(r, (a) => a.state === 'inactive', 52_000),
      'fail',
      'cleared 11.1 s after',
    ],
    [
      'resolution not delivered',
      (r) => keep(r.alerts, (a) => a.state !== 'resolved'),
      'fail',
      'resolution was not delivered',
    ],
    [
      'resolution delivered too late',
      (r) => shift(r, (a) => a.state === 'resolved', 51_000),
      'fail',
      'resolution was not delivered',
    ],
    [
      'resolution of another instance only',
      (r) => r.alerts.push(receiver(23_200, 'BuilderServiceDown', 'firing', { ...labels, pod: 'b' })),
      'fail',
      'resolution was not delivered',
    ],
    [
      'rule not evaluated',
      (r) => {
        keep(r.alerts, () => false);
        for (const s of r.series) if (s.query === 'rule_evaluations') s.value = 0;
      },
      'unknown',
      'never evaluated',
    ],
    [
      'rule evaluated for a part of the run',
      (r) => {
        for (const s of r.series) if (s.query === 'rule_evaluations') s.value = 40;
      },
      'unknown',
      'evaluated its rule 40 times, of 120',
    ],
    [
      'no rule of that name',
      (r) => keep(r.plan.rules, (x) => x.alert !== 'BuilderServiceDown'),
      'unknown',
      'no rule of that name',
    ],
    [
      'fault not proven',
      (r) => keep(r.journal, (e) => e.type !== 'fault.effect-seen'),
      'unknown',
      'not proven to have bitten',
    ],
    [
      'never fired, under a load that is not to be trusted',
      (r) => {
        keep(r.alerts, () => false);
        keep(r.journal, (e) => e.type !== 'load.ended');
      },
      'unknown',
      'the load is not to be trusted',
    ],
    [
      'the evidence ends before the deadline to fire',
      (r) => {
        keep(r.alerts, () => false);
        endAt(r, 25_000);
      },
      'unknown',
      'not firing within',
    ],
    [
      'the evidence ends before the deadline to clear',
      (r) => {
        keep(r.alerts, (a) => a.state !== 'inactive' && a.state !== 'resolved');
        endAt(r, 45_000);
      },
      'unknown',
      'did not clear',
    ],
  ];
  for (const [name, change, verdict, message] of cases) {
    it(`${name}: ${verdict}`, async () => {
      const found = check(await judged(change), MUST);
      expect(found).toMatchObject({ verdict, message: expect.stringContaining(message) });
    });
  }
});

it('an alert that cleared while nobody looked may have done so in time', async () => {
  // Its deadline is at 49.9 s.
  const cleared = (at: number | null, unlooked: [fromMs: number, toMs: number]) =>
    judged((r) => {
      if (at === null) keep(r.alerts, (a) => a.state !== 'inactive');
      else {
        shift(r, (a) => a.state === 'inactive', at);
        shift(r, (a) => a.state === 'resolved', at + 300);
      }
      const [from, to] = unlooked;
      keep(r.series, (s) => s.query !== HEARTBEAT || s.t_us <= from * 1000 || s.t_us >= to * 1000);
    }).then((verdict) => check(verdict, MUST));
  expect(await cleared(52_500, [48_000, 52_000])).toMatchObject({
    verdict: 'unknown',
    message: expect.stringContaining('cleared 11.6 s after'),
  });
  expect((await cleared(54_000, [48_000, 52_000])).verdict).toBe('fail');
  expect((await cleared(53_000, [48_000, 52_000])).verdict).toBe('fail');
  expect((await cleared(52_500, [44_000, 48_000])).verdict).toBe('fail');
  expect((await cleared(null, [48_000, 52_000])).verdict).toBe('fail');
});

it('a known false alarm may fire at any time, also where no fault excuses it', async () => {
  const early = (anytime?: true) => (r: SyntheticRun) => {
    r.alerts.push(...fired('RabbitMQQueueBacklog', 5000, 5500));
    const contract = r.plan.alerts.find((a) => a.expect === 'may-fire');
    Object.assign(contract as object, anytime ? { anytime } : {});
  };
  expect(check(await judged(early()), MAY).verdict).toBe('fail');
  expect(check(await judged(early(true)), MAY).verdict).toBe('pass');
  const unproven = await judged((r) => {
    early(true)(r);
    keep(r.journal, (e) => e.type !== 'fault.effect-seen');
  });
  expect(check(unproven, MAY).verdict).toBe('pass');
});

describe('may-fire', () => {
  it('is excused in the span of the fault, its range, for, slack, a scrape and an evaluation', async () => {
    for (const from of [20_100, 39_000, 45_800, 46_800])
      expect(
        check(await judged((r) => r.alerts.push(...fired('RabbitMQQueueBacklog', from, from + 500))), MAY)
          .verdict,
      ).toBe('pass');
  });
  it('is not excused before the fault, nor long after', async () => {
    for (const from of [5000, 47_000, 55_000])
      expect(
        check(await judged((r) => r.alerts.push(...fired('RabbitMQQueueBacklog', from, from + 500))), MAY)
          .verdict,
      ).toBe('fail');
  });
  it('must not stay on when all is over', async () => {
    const left = await judged((r) => r.alerts.push(...fired('RabbitMQQueueBacklog', 25_000, null)));
    expect(check(left, MAY)).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('still did at the end'),
    });
    expect(left.verdict).toBe('fail');
    // Too early to say: what it looks back on is not over.
    const early = await judged((r) => {
      for (const rule of r.plan.rules) if (rule.alert === 'RabbitMQQueueBacklog') rule.rangeMs = 60_000;
      r.alerts.push(...fired('RabbitMQQueueBacklog', 25_000, null));
    });
    expect(check(early, MAY).verdict).toBe('pass');
  });
  it('must not be said to stay on until the end when nobody looked then, nor to be off', async () => {
    const unseen = (alert: string, change: (r: SyntheticRun) => void = () => {}) =>
      judged((r) => {
        r.alerts.push(...fired(alert, 25_000, null));
        // Rules were evaluated until 62 s.
        for (const e of r.journal) if (e.type === 'drain.ended') e.t = 69_000;
        change(r);
      });
    // All should be over at 49.9 s, and 12 s later it was seen.
    expect(check(await unseen('RabbitMQQueueBacklog'), MAY).verdict).toBe('fail');
    const long = await unseen('RabbitMQQueueBacklog', (r) => {
      for (const rule of r.plan.rules) if (rule.alert === 'RabbitMQQueueBacklog') rule.rangeMs = 20_000;
    });
    expect(check(long, MAY)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('Prometheus evaluated no rule for 7 s, from 62 s on'),
    });
    expect(check(await unseen('BuilderServiceDown'), MUST_NOT).verdict).toBe('unknown');
  });
  it('is excused when it began in the span, however late it is delivered; and by nothing but that', async () => {
    const delivered = (t: number, startsAt: number) =>
      judged((r) =>
        r.alerts.push(
          ...fired('RabbitMQQueueBacklog', Math.min(startsAt, t), Math.min(startsAt, t) + 500),
          receiver(t, 'RabbitMQQueueBacklog', 'firing', labels, startsAt),
        ),
      ).then((verdict) => check(verdict, MAY));
    expect((await delivered(48_000, 46_800)).verdict).toBe('pass');
    expect(await delivered(48_000, 47_000)).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('it was delivered at 48 s, on since 47 s, where no fault excuses it'),
    });
    expect((await delivered(21_000, 19_000)).verdict).toBe('fail');
    // Nothing begins after it is delivered.
    expect((await delivered(46_000, 1e9)).verdict).toBe('pass');
    expect((await delivered(55_000, 1e9)).verdict).toBe('fail');
  });
  it('delivered outside of the span is not excused', async () => {
    expect(
      check(await judged((r) => r.alerts.push(receiver(9000, 'RabbitMQQueueBacklog', 'firing'))), MAY)
        .verdict,
    ).toBe('fail');
  });
  it('an unproven fault excuses nothing', async () => {
    const verdict = await judged((r) => {
      keep(r.journal, (e) => e.type !== 'fault.effect-seen');
      r.alerts.push(...fired('RabbitMQQueueBacklog', 25_000, 26_000));
    });
    expect(check(verdict, MAY).verdict).toBe('unknown');
  });
});

describe('must-not-fire', () => {
  it('says of a rule that needs longer than the run that its silence proves nothing', async () => {
    const verdict = await judged((r) => {
      for (const rule of r.plan.rules) if (rule.alert === 'BuildFailureRateHigh') rule.forMs = 3_600_000;
    });
    expect(check(verdict, MUST_NOT)).toMatchObject({
      verdict: 'pass',
      message: expect.stringContaining('proves nothing'),
    });
  });
  it('leaves out of the verdict what was delivered before the run began', async () => {
    const verdict = await judged((r) => r.alerts.unshift(receiver(-3000, 'BuildFailureRateHigh', 'firing')));
    const result = verdict.alerts.find((a) => a.alert === 'BuildFailureRateHigh');
    expect(result).toMatchObject({ verdict: 'pass', delivered: [] });
  });
  const cases: [string, (r: SyntheticRun) => void][] = [
    ['firing in Prometheus', (r) => r.alerts.push(...fired('BuildFailureRateHigh', 25_000, 26_000))],
    ['delivered to the receiver', (r) => r.alerts.push(receiver(25_000, 'BuildFailureRateHigh', 'firing'))],
    ['firing since before the run', (r) => r.alerts.unshift(...fired('BuildFailureRateHigh', -2000, null))],
  ];
  for (const [name, change] of cases)
    it(name, async () => expect(check(await judged(change), MUST_NOT).verdict).toBe('fail'));

  it('pending alone is no firing, nor is what was over before the run', async () => {
    const verdict = await judged((r) =>
      r.alerts.push(
        ...fired('BuildFailureRateHigh', -5000, -2000),
        prometheus(25_000, 'BuildFailureRateHigh', 'pending'),
        prometheus(26_000, 'BuildFailureRateHigh', 'inactive'),
      ),
    );
    expect(check(verdict, MUST_NOT).verdict).toBe('pass');
  });

  it('holds for an alert that the plan does not know, too', async () => {
    const verdict = await judged((r) => r.alerts.push(receiver(25_000, 'SomebodyElse', 'firing')));
    expect(check(verdict, 'alert/SomebodyElse/must-not-fire')).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('no rule of that name'),
    });
    expect(verdict.verdict).toBe('fail');
  });

  it('fails although its rule is said not to have been evaluated', async () => {
    const verdict = await judged((r) => {
      keep(r.series, (s) => s.query !== 'rule_evaluations');
      r.alerts.push(...fired('BuildFailureRateHigh', 25_000, 26_000));
    });
    expect(check(verdict, MUST_NOT).verdict).toBe('fail');
  });
});

describe('a rule whose metrics nobody exposed', () => {
  const reads = (there: Record<string, 0 | 1>, expr: string, change: (r: SyntheticRun) => void = () => {}) =>
    judged((r) => {
      for (const rule of r.plan.rules) rule.expr = expr;
      for (const [metric, value] of Object.entries(there))
        r.series.push({
          ...{ query: RULE_METRIC, kind: 'observed', phase: null, labels: JSON.stringify({ metric }) },
          ...{ t_us: 62_000_000, value },
        });
      change(r);
    });
  const silent = (r: SyntheticRun) => keep(r.alerts, () => false);
  const ratio = 'rate(errors_total[5s]) / rate(requests_total[5s]) > 0';
  const none = { errors_total: 0, requests_total: 0 } as const;

  it('is no failure of the platform when it should have fired', async () => {
    expect(check(await reads(none, ratio, silent), MUST)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringMatching(
        /^Prometheus never had what its rule reads \(errors_total, requests_total\): /,
      ),
    });
  });

  it('proves nothing by its silence', async () => {
    expect(check(await reads(none, ratio), MUST_NOT)).toMatchObject({
      verdict: 'pass',
      message:
        'it did not fire, which proves nothing: Prometheus never had what its rule reads (errors_total, requests_total)',
    });
  });

  it.each([
    [
      'one of them was there: others are born with the first that they count',
      { ...none, requests_total: 1 },
      ratio,
    ],
    ['it fires when they are not there', none, 'absent(errors_total)'],
    ['nobody looked, as in older bundles', {}, ratio],
  ] as const)('is judged as ever when %s', async (_, there, expr) => {
    expect(check(await reads(there, expr, silent), MUST).verdict).toBe('fail');
    expect(check(await reads(there, expr), MUST_NOT).message).toBe('it did not fire');
  });

  it('is not told from one that the platform did not serve when nobody could ask', async () => {
    const unasked = await judged((r) => {
      silent(r);
      r.journal.push({
        ...{ t: 60_000, type: 'evidence.missing', reason: 'gone' },
        what: `series.parquet: ${RULE_METRIC}`,
      });
    });
    expect(check(unasked, MUST).verdict).toBe('unknown');
    expect(check(unasked, MUST_NOT).verdict).toBe('pass');
  });
});

describe('a process that watches and was started anew in the run', () => {
  const restarted = (component: string, change: (r: SyntheticRun) => void = () => {}) =>
    judged((r) => {
      for (const s of r.series)
        if (s.query === MONITORING_STARTED && s.labels.includes(component)) s.value = 31.5;
      change(r);
    });
  const silent = (r: SyntheticRun) => keep(r.alerts, () => false);

  it('makes what Prometheus did not show unknown: what was pending began again', async () => {
    const verdict = await restarted('prometheus');
    for (const id of [MUST, MAY, MUST_NOT])
      expect(check(verdict, id)).toMatchObject({
        verdict: 'unknown',
        message: expect.stringContaining('Prometheus was started anew at 31.5 s'),
      });
    expect(check(await restarted('prometheus', silent), MUST).verdict).toBe('unknown');
    const fires = await restarted('prometheus', (r) =>
      r.alerts.push(...fired('BuildFailureRateHigh', 25_000, 26_000)),
    );
    expect(check(fires, MUST_NOT).verdict).toBe('fail');
  });

  it('makes what Alertmanager did not deliver in time unknown, and nothing else', async () => {
    expect((await restarted('alertmanager')).verdict).toBe('pass');
    expect(check(await restarted('alertmanager', silent), MUST)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('Alertmanager was started anew at 31.5 s'),
    });
  });

  it('is not known of without Prometheus saying when it was started', async () => {
    const verdict = await judged((r) => keep(r.series, (s) => s.query !== MONITORING_STARTED));
    expect(check(verdict, MUST_NOT)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('nobody knows whether Prometheus was started anew'),
    });
  });

  it('is not known of without Alertmanager saying when it was, for what it did not deliver', async () => {
    const without = (change: (r: SyntheticRun) => void) =>
      judged((r) => {
        keep(r.series, (s) => !(s.query === MONITORING_STARTED && s.labels.includes('alertmanager')));
        change(r);
      });
    expect(check(await without(silent), MUST).verdict).toBe('unknown');
    expect((await without(() => {})).verdict).toBe('pass');
  });
});

describe('histories', () => {
  it('merges instances that overlap, and keeps what is open', () => {
    expect(
      merged([
        { fromMs: 5, toMs: 9 },
        { fromMs: 1, toMs: 6 },
        { fromMs: 12, toMs: null },
        { fromMs: 13, toMs: 14 },
      ]),
    ).toEqual([
      { fromMs: 1, toMs: 9 },
      { fromMs: 12, toMs: null },
    ]);
  });
  it('tells instances apart by their labels, whatever their order', () => {
    const history = historiesOf([
      prometheus(1, 'A', 'firing', { a: '1', b: '2' }),
      prometheus(2, 'A', 'firing', { a: '1', b: '3' }),
      prometheus(3, 'A', 'inactive', { b: '2', a: '1' }),
    ]).get('A');
    expect(history?.episodes.map((e) => e.to)).toEqual([3, null]);
  });
});

function endAt(r: SyntheticRun, ms: number): void {
  for (const e of r.journal) if (e.type === 'run.ended') e.t = ms;
  keep(r.alerts, (a) => a.t <= ms);
}
