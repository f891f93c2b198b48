import { describe, expect, it } from 'vitest';
import { passingRun, type SyntheticRun, TIMES } from '../../evidence/testing.ts';
import { check, judged, keep } from './testing.ts';

const ID = 'recovery/builds-back';
const reverted = TIMES.reverted;

/** Invocations fail from the injection until `backMs`; with `held`, those of the last second are held and answered then. */
function outage(r: SyntheticRun, backMs: number, { held = false, noise = 0 } = {}): void {
  r.plan.recovery = [
    {
      name: 'calls-back',
      fault: 'kill-builder',
      total: { table: 'requests', where: "stream = 'invocations'" },
      good: 'ok',
      target: noise > 0 ? 0.9 : 1,
      windowMs: 1000,
      windows: 3,
      from: 'revert',
      rtoMs: 5000,
    },
  ];
  let k = 0;
  for (const x of r.requests.filter(
    (q) => q.stream === 'invocations' && q.intended_us >= TIMES.inject * 1000,
  )) {
    const intended = x.intended_us / 1000;
    if (intended >= backMs) {
      if (noise > 0 && ++k % noise === 0) Object.assign(x, { outcome: 'failed', status: 500 });
    } else if (held && intended >= backMs - 1000) x.done_us = Math.round(backMs * 1000) + 5000;
    else Object.assign(x, { outcome: 'failed', status: 503 });
  }
}

const unsend = (x: SyntheticRun['requests'][number]) =>
  Object.assign(x, { sent_us: null, done_us: null, status: null, outcome: 'unsent', event_id: null });

const measuredOf = async (change: (r: SyntheticRun) => void) => (await judged(change)).recovery[0];

describe('recovery of requests', () => {
  it('is within half a second of the truth, whatever its place in a window', async () => {
    for (const back of [40_150, 40_700, 41_000, 41_640, 42_333, 43_999, 44_100]) {
      const measured = await measuredOf((r) => outage(r, back));
      expect(measured?.verdict).toBe('pass');
      expect(Math.abs((measured?.tookMs ?? 1e9) - (back - reverted))).toBeLessThan(120);
      expect(Math.abs((measured?.fromInjectMs ?? 1e9) - (back - TIMES.inject - 50))).toBeLessThan(120);
    }
  });

  it('counts the answer to held requests as the sign of life, not their start', async () => {
    const measured = await measuredOf((r) => outage(r, 42_500, { held: true }));
    expect(Math.abs((measured?.tookMs ?? 0) - 2400)).toBeLessThan(120);
  });

  it('is not judged of a fault that failed half-way: the load around was shaped for one that is there', async () => {
    const verdict = await judged((r) => {
      outage(r, 60_000);
      keep(r.journal, (e) => e.type !== 'fault.injected');
    });
    expect(check(verdict, 'recovery/calls-back')).toMatchObject({ verdict: 'unknown' });
  });

  it('stands some bad requests where the target allows them', async () => {
    const measured = await measuredOf((r) => outage(r, 42_500, { noise: 15 }));
    expect(Math.abs((measured?.tookMs ?? 0) - 2400)).toBeLessThan(250);
  });

  it('is the start of a lasting good state, not of a good moment', async () => {
    const measured = await measuredOf((r) => {
      outage(r, 41_000);
      for (const x of r.requests.filter(
        (q) => q.stream === 'invocations' && q.intended_us >= 42_200_000 && q.intended_us < 44_000_000,
      ))
        Object.assign(x, { outcome: 'failed', status: 503 });
    });
    expect(Math.abs((measured?.tookMs ?? 0) - 3900)).toBeLessThan(120);
  });

  it('did not last when as many bad windows in a row follow as good ones made it', async () => {
    const relapse = (fromMs: number, toMs: number) => async () =>
      check(
        await judged((r) => {
          outage(r, 41_000);
          for (const x of r.requests.filter(
            (q) =>
              q.stream === 'invocations' && q.intended_us >= fromMs * 1000 && q.intended_us < toMs * 1000,
          ))
            Object.assign(x, { outcome: 'failed', status: 503 });
        }),
        'recovery/calls-back',
      );
    expect(await relapse(50_100, 53_100)()).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('it did not last: 3 bad windows in a row from 10 s'),
    });
    // One bad moment is no relapse.
    expect((await relapse(50_100, 51_100)()).verdict).toBe('pass');
  });

  it('is not known to last when it is bad again up to the end', async () => {
    const bad = (fromMs: number) =>
      judged((r) => {
        outage(r, 41_000);
        for (const x of r.requests.filter(
          (q) => q.stream === 'invocations' && q.intended_us >= fromMs * 1000,
        ))
          Object.assign(x, { outcome: 'failed', status: 503 });
      }).then((verdict) => check(verdict, 'recovery/calls-back'));
    expect(await bad(57_300)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('and was bad again from'),
    });
    // A moment is none.
    expect((await bad(59_500)).verdict).toBe('pass');
  });

  it('fails when it is later than the objective plus slack', async () => {
    const verdict = await judged((r) => outage(r, reverted + 8200));
    expect(check(verdict, 'recovery/calls-back')).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('later than 8 s'),
    });
  });

  it('is censored when it never came: fail when the evidence is long enough, else unknown', async () => {
    expect(await measuredOf((r) => outage(r, 1e9))).toMatchObject({
      verdict: 'fail',
      tookMs: null,
      censoredAtMs: 19_000,
    });
    const short = await measuredOf((r) => {
      outage(r, 1e9);
      for (const c of r.plan.recovery) c.rtoMs = 18_000;
    });
    expect(short).toMatchObject({ verdict: 'unknown', tookMs: null });
    // Good since the very end: whether it lasts is not known, but that it was late is.
    expect(await measuredOf((r) => outage(r, 58_500))).toMatchObject({ verdict: 'fail' });
    expect(
      await measuredOf((r) => {
        outage(r, 58_500);
        for (const c of r.plan.recovery) c.rtoMs = 17_000;
      }),
    ).toMatchObject({ verdict: 'unknown' });
  });

  it('is unknown when it depends on requests that were not sent', async () => {
    const unsentFrom = (fromMs: number, backMs: number, exitCode = 137) =>
      judged((r) => {
        outage(r, backMs);
        for (const e of r.journal) if (e.type === 'load.ended') e.exitCode = exitCode;
        for (const x of r.requests.filter((q) => q.intended_us >= fromMs * 1000)) unsend(x);
      }).then((verdict) => check(verdict, 'recovery/calls-back'));
    // The generator dies, and the platform had been back for long, or might have come back in time.
    expect(await unsentFrom(45_100, 41_000)).toMatchObject({
      verdict: 'unknown',
      message: expect.stringMatching(
        /it did not last.*without the 298 requests that were not sent: recovered/,
      ),
    });
    expect((await unsentFrom(43_050, 1e9)).verdict).toBe('unknown');
    expect((await unsentFrom(reverted, 41_000)).verdict).toBe('unknown');
    // Back since 47 s, so the good windows are cut short; that it was still away at the limit was seen.
    expect((await unsentFrom(49_200, 47_000)).verdict).toBe('unknown');
    expect((await unsentFrom(52_000, 49_100)).verdict).toBe('fail');
    expect((await unsentFrom(50_000, 1e9)).verdict).toBe('fail');
    // A generator that was well had no client free: the platform kept them waiting.
    expect((await unsentFrom(45_100, 41_000, 0)).verdict).toBe('fail');
  });

  it('is unknown without rows after the revert, without a revert, and when the fault is not proven', async () => {
    const id = 'recovery/calls-back';
    expect(
      check(
        await judged((r) => {
          outage(r, 41_000);
          keep(r.requests, (x) => x.intended_us < reverted * 1000);
        }),
        id,
      ).verdict,
    ).toBe('unknown');
    expect(
      check(
        await judged((r) => {
          outage(r, 41_000);
          keep(r.journal, (e) => e.type !== 'fault.reverted');
        }),
        id,
      ).verdict,
    ).toBe('unknown');
    expect(
      check(
        await judged((r) => {
          outage(r, 41_000);
          keep(r.journal, (e) => e.type !== 'fault.effect-seen');
        }),
        id,
      ).verdict,
    ).toBe('unknown');
  });
});

describe('recovery of queued work', () => {
  it('is when processing resumes, though every event is processed in the end', async () => {
    const truth = TIMES.builderBack - reverted;
    const measured = (await judged(() => {})).recovery[0];
    expect(Math.abs((measured?.tookMs ?? 0) - truth)).toBeLessThan(200);
  });

  it('follows the truth, and fails when the builder comes back too late', async () => {
    for (const back of [40_400, 42_000, 43_650, 46_000, 49_500]) {
      const verdict = await judged((r) => {
        for (const l of r.ledger) {
          const sent = (l.sent_us as number) / 1000;
          l.first_processed_us =
            sent > 19_800 && sent < back
              ? back * 1000 + 60_000 + Math.round(sent % 97)
              : (l.sent_us as number) + 200_000;
        }
      });
      expect(Math.abs((verdict.recovery[0]?.tookMs ?? 0) - (back - reverted))).toBeLessThan(500);
      expect(check(verdict, ID).verdict).toBe(back - reverted <= 8000 ? 'pass' : 'fail');
    }
  });

  it('has not come while new work is held up, although it is processed', async () => {
    const verdict = await judged((r) => {
      for (const l of r.ledger)
        if ((l.sent_us as number) >= reverted * 1000)
          l.first_processed_us = (l.sent_us as number) + 4_000_000;
    });
    expect(check(verdict, ID).verdict).toBe('fail');
    expect(verdict.recovery[0]?.tookMs).toBeNull();
  });
});

it('the synthetic run that these tests change is not changed by them', () => {
  expect(passingRun()).toEqual(passingRun());
});

describe('recovery while the fault is there', () => {
  const id = 'recovery/calls-back';
  const duringFault = (backMs: number, badAgain = 1e9, change: (r: SyntheticRun) => void = () => {}) =>
    judged((r) => {
      outage(r, backMs);
      change(r);
      for (const c of r.plan.recovery) c.from = 'injection';
      for (const x of r.requests.filter(
        (q) =>
          q.stream === 'invocations' &&
          q.intended_us >= badAgain * 1000 &&
          q.intended_us < (badAgain + 2000) * 1000,
      ))
        Object.assign(x, { outcome: 'failed', status: 503 });
    });

  it('counts from the injection', async () => {
    const verdict = await duringFault(23_300);
    expect(verdict.recovery[0]).toMatchObject({ verdict: 'pass', from: 'injection' });
    expect(Math.abs((verdict.recovery[0]?.tookMs ?? 0) - (23_300 - TIMES.inject - 2))).toBeLessThan(120);
  });

  it('counts what broke while the act was still on its way', async () => {
    const verdict = await duringFault(23_300, 1e9, (r) => {
      for (const e of r.journal) if (e.type === 'fault.injected') e.t = 23_200;
    });
    expect(verdict.recovery[0]?.tookMs ?? 0).toBeGreaterThan(3000);
  });

  it('does not take for it what came with the revert, nor a good moment', async () => {
    expect(check(await duringFault(reverted), id)).toMatchObject({
      verdict: 'fail',
      message: expect.stringMatching(/had not recovered .* after the injection/),
    });
    // Whole at first, as when what is hit takes a while to be missed.
    expect(check(await duringFault(20_000, 33_000), id).verdict).toBe('fail');
  });
});
