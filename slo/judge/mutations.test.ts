/** A passing bundle with one defect must not pass: whatever is lost, cut off, emptied or changed. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EvidenceError } from '../../base/errors.ts';
import { countedChecks } from '../../evidence/check-ids.ts';
import { copySql, Database } from '../../evidence/duckdb.ts';
import { HEARTBEAT, MONITORING_STARTED } from '../../evidence/tables.ts';
import { passingRun, type SyntheticRun, TIMES, writeBundle } from '../../evidence/testing.ts';
import { judge, serializeVerdict, writeVerdict } from './index.ts';
import { check, inDirectory, judged, keep } from './testing.ts';

const EVIDENCE_FILES = [
  'journal.ndjson',
  'alerts.ndjson',
  'requests.parquet',
  'ledger.parquet',
  'series.parquet',
];

describe('the passing run', () => {
  it('passes, with no reason, and says so of every group', async () => {
    const verdict = await judged(() => {});
    expect(verdict.reasons).toEqual([]);
    expect(verdict.verdict).toBe('pass');
    expect(new Set(verdict.checks.map((c) => c.group))).toEqual(
      new Set(['harness', 'load', 'fault', 'objective', 'alert', 'recovery', 'ledger', 'telemetry']),
    );
    expect(new Set(verdict.checks.map((c) => c.id)).size).toBe(verdict.checks.length);
  });

  it('gives the same bytes again, with any number of threads, in another directory', async () => {
    const bytes = await Promise.all(
      [1, 2, 2].map((threads) =>
        judged(
          () => {},
          () => {},
          { threads },
        ).then(serializeVerdict),
      ),
    );
    expect(bytes[1]).toBe(bytes[0]);
    expect(bytes[2]).toBe(bytes[0]);
  });

  it('gives the bytes that it gave on another machine', async () => {
    // Written where the judge was last changed, with `npx vitest run slo/judge -u`; every other machine must agree.
    await expect(serializeVerdict(await judged(() => {}))).toMatchFileSnapshot('golden/passing-verdict.json');
  });

  it('names evidence whose queries run by themselves in the bundle', async () => {
    await inDirectory(async (dir) => {
      await writeBundle(dir, passingRun());
      const evidence = (await judge(dir)).checks
        .flatMap((c) => c.evidence)
        .filter((e) => e.file.endsWith('.parquet'));
      expect(evidence.length).toBeGreaterThan(15);
      using db = await Database.open();
      for (const { query } of evidence) {
        const here = query.replaceAll(/'(\w+\.parquet)'/g, (_, file: string) => `'${join(dir, file)}'`);
        expect(await db.rows(here)).not.toHaveLength(0);
      }
    });
  });

  it('is written canonically, and a written verdict does not change the next one', async () => {
    await inDirectory(async (dir) => {
      await writeBundle(dir, passingRun());
      writeVerdict(dir, await judge(dir));
      const first = readFileSync(join(dir, 'verdict.json'), 'utf8');
      writeVerdict(dir, await judge(dir));
      expect(readFileSync(join(dir, 'verdict.json'), 'utf8')).toBe(first);
      expect(first).not.toContain(dir);
      expect(Object.keys(JSON.parse(first))[1]).toBe('verdict');
      expect(readdirSync(dir)).not.toContain('verdict.json.tmp');
    });
  });
});

describe('damage to a file', () => {
  for (const file of EVIDENCE_FILES) {
    it(`${file} deleted`, async () => {
      const verdict = await judged(
        () => {},
        (dir) => rmSync(join(dir, file)),
      );
      expect(verdict.verdict).toBe('unknown');
      expect(verdict.reasons.join('\n')).toContain(`${file} is missing`);
    });

    it(`${file} emptied`, async () => {
      const verdict = await judged(
        () => {},
        (dir) => writeFileSync(join(dir, file), ''),
      );
      expect(verdict.verdict).not.toBe('pass');
      expect(verdict.reasons.length).toBeGreaterThan(0);
    });

    it(`${file} cut off at every tenth of its length`, async () => {
      for (let tenth = 1; tenth < 10; tenth++) {
        const verdict = await judged(
          () => {},
          (dir) => truncateSync(join(dir, file), Math.floor((statSync(join(dir, file)).size * tenth) / 10)),
        );
        expect([tenth, verdict.verdict]).not.toEqual([tenth, 'pass']);
      }
    });

    it(`${file} replaced by text that it can not be`, async () => {
      const verdict = await judged(
        () => {},
        (dir) => writeFileSync(join(dir, file), 'not what it says\n'),
      );
      expect(verdict.verdict).toBe('unknown');
      expect(verdict.reasons.join('\n')).toContain(file);
      expect(verdict.reasons.join('\n')).not.toContain('/tmp');
    });
  }

  it('names the line of garbage in the middle', async () => {
    const verdict = await judged(
      () => {},
      (dir) => edit(join(dir, 'alerts.ndjson'), (lines) => lines.splice(2, 1, '{"source":"prometheus"')),
    );
    expect(check(verdict, 'alert/BuildFailureRateHigh/must-not-fire')).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('alerts.ndjson:3:'),
    });
  });

  it('refuses a directory without a valid plan, and one that is not there', async () => {
    await inDirectory(async (dir) => {
      await expect(judge(join(dir, 'none'))).rejects.toThrow(EvidenceError);
      await expect(judge(dir)).rejects.toThrow('no plan.json');
      for (const rubbish of ['null', '7', '[]', '"plan"']) {
        writeFileSync(join(dir, 'plan.json'), rubbish);
        await expect(judge(dir)).rejects.toThrow(EvidenceError);
      }
      writeFileSync(join(dir, 'plan.json'), '{"version":2}');
      await expect(judge(dir)).rejects.toThrow('plan.json: run: ');
      writeFileSync(join(dir, 'plan.json'), '{"version":1,"versions":{"faultline":"abc"}}');
      await expect(judge(dir)).rejects.toThrow(/bundle of version 1, .* reads version 2: .* \(abc\)/);
    });
  });

  it('takes a table with other columns as no evidence', async () => {
    const verdict = await judged(
      () => {},
      async (dir) => {
        using db = await Database.open();
        await db.run(copySql('SELECT 1 AS stream', join(dir, 'requests.parquet')));
      },
    );
    expect(verdict.verdict).toBe('unknown');
    expect(check(verdict, 'load/builds').message).toContain('expected stream VARCHAR');
  });
});

describe('a lost or changed line of the journal', () => {
  it('any one line', async () => {
    await inDirectory(async (dir) => {
      await writeBundle(dir, passingRun());
      const file = join(dir, 'journal.ndjson');
      const whole = readFileSync(file, 'utf8').trimEnd().split('\n');
      // The first line, the start of the target, is not needed to judge the run.
      for (let i = 1; i < whole.length; i++) {
        writeFileSync(file, `${whole.toSpliced(i, 1).join('\n')}\n`);
        const verdict = await judge(dir);
        expect([whole[i], verdict.verdict]).not.toEqual([whole[i], 'pass']);
      }
    });
  }, 60_000);

  const flips: [string, (run: SyntheticRun) => void, string, string][] = [
    ['the harness crashed', (r) => ended(r, 'crashed'), 'error', 'harness/outcome'],
    ['interrupted', (r) => ended(r, 'interrupted'), 'unknown', 'harness/outcome'],
    ['aborted, the platform to blame', (r) => ended(r, 'aborted', 'platform'), 'fail', 'harness/outcome'],
    ['aborted, the evidence to blame', (r) => ended(r, 'aborted', 'evidence'), 'unknown', 'harness/outcome'],
    ['aborted, the harness to blame', (r) => ended(r, 'aborted', 'harness'), 'error', 'harness/outcome'],
    ['killed', (r) => keep(r.journal, (e) => e.type !== 'run.ended'), 'error', 'harness/outcome'],
    ['a leak', (r) => swap(r, 'audit', { clean: false, leaks: ['pid 7'] }), 'error', 'harness/audit'],
    ['no final audit', (r) => keep(r.journal, (e) => e.type !== 'audit'), 'unknown', 'harness/audit'],
    [
      'a phase that never began',
      (r) => keep(r.journal, (e) => !(e.type === 'phase.started' && e.phase === 'recover')),
      'unknown',
      'harness/bundle',
    ],
    [
      'a leak of the fault',
      (r) => swap(r, 'fault.audit', { clean: false, leaks: ['rule 3'] }),
      'error',
      'fault/kill-builder',
    ],
    [
      'no audit of the fault',
      (r) => keep(r.journal, (e) => e.type !== 'fault.audit'),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect not seen',
      (r) => keep(r.journal, (e) => e.type !== 'fault.effect-seen'),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect seen too late',
      (r) => swap(r, 'fault.effect-seen', { t: 26_000 }),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect seen before the injection',
      (r) => swap(r, 'fault.effect-seen', { t: 19_000 }),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect gone before the revert',
      (r) =>
        r.journal.push({
          ...{
            t: 36_000,
            type: 'fault.effect-lost',
            fault: 'kill-builder',
            probe: 'p',
            detail: 'answers 200',
          },
        }),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect seen once, and nobody looked again',
      (r) => keep(r.journal, (e) => e.type !== 'fault.effect-held'),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'effect not gone',
      (r) => keep(r.journal, (e) => e.type !== 'fault.effect-gone'),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'never injected',
      (r) => {
        keep(r.journal, (e) => !('fault' in e));
        keep(r.alerts, () => false);
      },
      'unknown',
      'fault/kill-builder',
    ],
    ['injected much too late', (r) => late(r, 4500), 'unknown', 'fault/kill-builder'],
    [
      'reverted much too late',
      (r) => {
        for (const e of r.journal) if (e.type === 'fault.reverting') e.t += 30;
        for (const f of r.plan.faults) f.revertMs -= 8000;
      },
      'unknown',
      'fault/kill-builder',
    ],
    [
      'the injector failed',
      (r) =>
        r.journal.push({
          t: 20_010,
          type: 'fault.error',
          fault: 'kill-builder',
          step: 'inject',
          message: 'no such process',
        }),
      'error',
      'fault/kill-builder',
    ],
    [
      'the injector did not say in time that it is in place',
      (r) => {
        keep(r.journal, (e) => e.type !== 'fault.injected');
        r.journal.push({
          ...{ t: 50_010, type: 'fault.error', fault: 'kill-builder' },
          ...{ step: 'unfinished', message: 'Chaos Mesh did not inject it within 30 s' },
        });
      },
      'unknown',
      'fault/kill-builder',
    ],
    [
      'a guardrail kept it from acting again',
      (r) =>
        r.journal.push({
          t: 21_000,
          type: 'fault.error',
          fault: 'kill-builder',
          step: 'guardrail',
          message: 'it would take 2 pods',
        }),
      'unknown',
      'fault/kill-builder',
    ],
    [
      'its end came before it was injected',
      (r) => {
        keep(r.journal, (e) => e.type !== 'fault.injected');
        r.journal.push({
          t: 21_000,
          type: 'fault.error',
          fault: 'kill-builder',
          step: 'overtaken',
          message: 'nothing to be killed',
        });
      },
      'unknown',
      'fault/kill-builder',
    ],
    [
      'the effect was there before',
      (r) =>
        r.journal.push({
          t: 20_000,
          type: 'fault.error',
          fault: 'kill-builder',
          step: 'probe',
          message: 'the effect was there before',
        }),
      'unknown',
      'fault/kill-builder',
    ],
    ['k6 crashed', (r) => swap(r, 'load.ended', { exitCode: 107 }), 'unknown', 'load/builds'],
    ['k6 was killed', (r) => swap(r, 'load.ended', { exitCode: null }), 'unknown', 'load/builds'],
    ['a busy generator', (r) => swap(r, 'generator.sample', { cpu: 1.4 }), 'unknown', 'load/generator'],
    [
      'nobody measured the generator',
      (r) => keep(r.journal, (e) => e.type !== 'generator.sample'),
      'unknown',
      'load/generator',
    ],
    ['no drain', (r) => keep(r.journal, (e) => e.type !== 'drain.ended'), 'unknown', 'ledger/drain'],
    [
      'a drain that timed out',
      (r) => swap(r, 'drain.ended', { outstanding: 2, timedOut: true }),
      'fail',
      'ledger/lost',
    ],
    [
      'alerts could not be read',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'alerts.ndjson',
          reason: 'Prometheus did not answer',
        }),
      'unknown',
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    [
      'a notification was garbled',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'alerts.ndjson: a notification',
          reason: 'gone',
        }),
      'unknown',
      'alert/RabbitMQQueueBacklog/may-fire',
    ],
    [
      'a lifecycle event was garbled',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'ledger.parquet: a lifecycle event',
          reason: 'gone',
        }),
      'unknown',
      'ledger/lost',
    ],
    [
      'a counter could not be fetched',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'series.parquet: cloudevents_received_total',
          reason: 'gone',
        }),
      'unknown',
      'telemetry/events-accepted',
    ],
    [
      'when its processes began could not be fetched: a restart would look like a counter that went on',
      (r) =>
        r.journal.push({
          ...{ t: 65_000, type: 'evidence.missing', reason: 'gone' },
          what: 'series.parquet: process_start_time_seconds',
        }),
      'unknown',
      'telemetry/events-accepted',
    ],
    [
      'a query failed in one phase',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'series.parquet: queue_depth in recover',
          reason: 'gone',
        }),
      'unknown',
      'objective/queue-depth/run',
    ],
    [
      'Prometheus was gone',
      (r) =>
        r.journal.push({
          t: 65_000,
          type: 'evidence.missing',
          what: 'prometheus',
          reason: 'connection refused',
        }),
      'unknown',
      'telemetry/events-accepted',
    ],
  ];
  for (const [name, change, verdict, id] of flips) {
    it(`${name}: ${verdict}`, async () => {
      const document = await judged(change);
      expect(check(document, id).verdict).toBe(verdict);
      expect(document.verdict).toBe(verdict);
      expect(document.reasons[0]).toContain(document.verdict === check(document, id).verdict ? '' : id);
    });
  }

  it('a torn last line of a killed harness is an error of the harness, not garbage', async () => {
    const verdict = await judged(
      () => {},
      (dir) => {
        const file = join(dir, 'journal.ndjson');
        truncateSync(file, statSync(file).size - 20);
      },
    );
    expect(verdict.verdict).toBe('error');
    expect(check(verdict, 'harness/bundle').message).toContain('the last line is cut off');
  });

  it('an interrupted run is unknown even if it had failed by then; its failures are still told', async () => {
    const verdict = await judged((r) => {
      ended(r, 'interrupted');
      for (const row of r.ledger.slice(0, 30)) row.result = 'failed';
    });
    expect(verdict.verdict).toBe('unknown');
    expect(verdict.reasons[0]).toContain('objective/build-success');
  });
});

describe('lost rows', () => {
  const drops: [string, (run: SyntheticRun) => void, string][] = [
    ['one request', (r) => r.requests.splice(300, 1), 'load/invocations'],
    [
      'one request, its position given to another',
      (r) => Object.assign(r.requests.at(-1) as object, { n: 5 }),
      'load/invocations',
    ],
    ['all requests of a stream', (r) => keep(r.requests, (x) => x.stream !== 'builds'), 'load/builds'],
    ['all requests', (r) => keep(r.requests, () => false), 'load/invocations'],
    ['one row of the ledger', (r) => r.ledger.splice(10, 1), 'ledger/complete'],
    [
      'one row of the ledger, another one twice',
      (r) => r.ledger.splice(10, 1, structuredClone(r.ledger[11] as object) as never),
      'ledger/complete',
    ],
    ['the whole ledger', (r) => keep(r.ledger, () => false), 'ledger/complete'],
    [
      'evaluations of one rule',
      (r) =>
        keep(r.series, (s) => !(s.query === 'rule_evaluations' && s.labels.includes('BuildFailureRateHigh'))),
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    [
      'when Prometheus was started',
      (r) => keep(r.series, (s) => !(s.query === MONITORING_STARTED && s.labels.includes('prometheus'))),
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    [
      'the heartbeat of the rules',
      (r) => keep(r.series, (s) => s.query !== HEARTBEAT),
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    [
      // As when Prometheus stands on the node that the fault takes: it evaluated often enough, but not then.
      'six seconds of the heartbeat, in the fault',
      (r) => keep(r.series, (s) => !(s.query === HEARTBEAT && s.t_us > 21_000_000 && s.t_us < 27_000_000)),
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    [
      'the end of the heartbeat',
      (r) => keep(r.series, (s) => !(s.query === HEARTBEAT && s.t_us > 54_000_000)),
      'alert/BuildFailureRateHigh/must-not-fire',
    ],
    ['samples of a counter', (r) => keep(r.series, (s) => s.kind !== 'raw'), 'telemetry/events-accepted'],
    [
      // A gauge that nobody scraped has no high value to show.
      'a part of the heartbeat, while a gauge is judged',
      (r) => keep(r.series, (s) => !(s.query === HEARTBEAT && s.t_us > 21_000_000 && s.t_us < 27_000_000)),
      'objective/queue-depth/run',
    ],
    [
      'samples of a gauge',
      (r) => keep(r.series, (s) => s.query !== 'queue_depth'),
      'objective/queue-depth/run',
    ],
  ];
  for (const [name, change, id] of drops) {
    it(name, async () => {
      const verdict = await judged(change);
      expect(check(verdict, id).verdict).toBe('unknown');
      expect(verdict.verdict).toBe('unknown');
    });
  }

  it('shows when the writer counted rows and some are gone from a file', async () => {
    for (const file of ['requests', 'ledger', 'series']) {
      const verdict = await judged(
        () => {},
        async (dir) => {
          using db = await Database.open();
          const path = join(dir, `${file}.parquet`);
          await db.run(
            `CREATE TABLE rest AS SELECT * FROM (SELECT *, row_number() OVER () AS i FROM '${path}') WHERE i <> 7`,
          );
          await db.run(copySql('SELECT * EXCLUDE i FROM rest ORDER BY i', path));
        },
      );
      expect(check(verdict, 'harness/bundle').verdict).toBe('unknown');
      expect(verdict.verdict).not.toBe('pass');
    }
  });
});

describe('what went wrong without a word', () => {
  it('accepted work that ended in an error: fail, unless the scenario allows for it', async () => {
    const error = (r: SyntheticRun) => {
      for (const row of r.ledger.slice(0, 3)) row.result = 'error';
    };
    const verdict = await judged(error);
    expect(check(verdict, 'ledger/failed')).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('3 of 240 accepted events ended in an error'),
    });
    expect(verdict.verdict).toBe('fail');
    const allowed = await judged((r) => {
      error(r);
      r.plan.ledger.maxFailed = 3;
    });
    expect(check(allowed, 'ledger/failed').verdict).toBe('pass');
    expect(allowed.verdict).toBe('pass');
  });

  describe('a fault with which everything must fail', () => {
    const inside = (r: SyntheticRun) =>
      r.ledger.filter(
        ({ accepted, sent_us, first_processed_us }) =>
          accepted &&
          (sent_us ?? 0) >= TIMES.effectSeen * 1000 &&
          (first_processed_us ?? Number.POSITIVE_INFINITY) <= TIMES.revert * 1000,
      );
    /** The builder's death lets nothing be processed: here it is as if each ended in an error instead. */
    const failing = (r: SyntheticRun) => {
      r.plan.ledger.failsWith = ['kill-builder'];
      for (const row of r.ledger.filter(
        ({ sent_us }) => (sent_us ?? 0) >= 20_300_000 && (sent_us ?? 0) < 39_000_000,
      ))
        Object.assign(row, {
          ...{ result: 'failed', artifact: null, artifact_found: null },
          first_processed_us: (row.sent_us ?? 0) + 500_000,
        });
    };
    const FAILS = 'ledger/fails-with/kill-builder';

    it('excuses what failed while it lasted, and holds when all of it did', async () => {
      const verdict = await judged(failing);
      expect(check(verdict, 'ledger/failed').verdict).toBe('pass');
      expect(check(verdict, 'ledger/failed').message).toMatch(/^0 of 240 .*, beside \d+ that had to/);
      expect(check(verdict, FAILS)).toMatchObject({ verdict: 'pass' });
    });

    it('excuses nothing before and after', async () => {
      const verdict = await judged((r) => {
        failing(r);
        for (const row of [...r.ledger.slice(0, 1), ...r.ledger.slice(-2)]) row.result = 'failed';
      });
      expect(check(verdict, 'ledger/failed')).toMatchObject({
        verdict: 'fail',
        message: expect.stringMatching(/^3 of 240/),
      });
    });

    it('fails when something succeeded without what it needs', async () => {
      const verdict = await judged((r) => {
        failing(r);
        for (const row of inside(r).slice(0, 2)) row.result = 'completed';
      });
      expect(check(verdict, FAILS)).toMatchObject({
        verdict: 'fail',
        message: expect.stringContaining('2 events succeeded without what they need'),
      });
    });

    it('is unknown when it is not proven, or nothing was processed while it lasted', async () => {
      const unproven = await judged((r) => {
        failing(r);
        keep(r.journal, (e) => e.type !== 'fault.effect-seen');
      });
      expect(check(unproven, FAILS).verdict).toBe('unknown');
      const idle = await judged((r) => {
        r.plan.ledger.failsWith = ['kill-builder'];
        for (const row of inside(r)) row.first_processed_us = 45_000_000;
      });
      expect(check(idle, FAILS)).toMatchObject({
        verdict: 'unknown',
        message: expect.stringContaining('nothing that was sent in that time was processed in it'),
      });
    });
  });

  it('what the fault hit does not come back, though nothing of it is left: that is not the harness’s failure', async () => {
    const verdict = await judged((r) => keep(r.journal, (e) => e.type !== 'fault.effect-gone'));
    expect(check(verdict, 'fault/kill-builder')).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('did not come back in that time'),
    });
    const leaking = await judged((r) => {
      keep(r.journal, (e) => e.type !== 'fault.effect-gone');
      for (const e of r.journal)
        if (e.type === 'fault.audit') Object.assign(e, { clean: false, leaks: ['a rule'] });
    });
    expect(check(leaking, 'fault/kill-builder').verdict).toBe('error');
  });

  it('a build that is said to be complete and names no image: fail', async () => {
    const verdict = await judged((r) => {
      for (const row of r.ledger.slice(0, 2)) Object.assign(row, { artifact: null, artifact_found: null });
    });
    expect(check(verdict, 'ledger/artifacts')).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('2 images'),
    });
  });

  it('rules that could not be evaluated for a while, and could at the end: unknown', async () => {
    const verdict = await judged((r) => {
      for (const s of r.series) if (s.query === 'rule_failures') s.value = 6;
    });
    expect(check(verdict, 'alert/BuildFailureRateHigh/must-not-fire')).toMatchObject({
      verdict: 'unknown',
      message: expect.stringContaining('6 evaluations failed'),
    });
    expect(verdict.verdict).toBe('unknown');
  });
});

it.each([
  [[0.02, 0.3, 0.02], 'unknown', /took 11\.3 % .*, 30\.0 % at worst: repeat the run/],
  [[0, 0.05], 'pass', /took 2\.5 %/],
] as const)(
  'a machine of which others took %j: said, and no verdict is changed',
  async (shares, said, message) => {
    const verdict = await judged((run) => {
      for (const stolen of shares) run.journal.push({ t: 20_000, type: 'host.sample', stolen });
    });
    expect(verdict.verdict).toBe('pass');
    expect(check(verdict, 'harness/host')).toMatchObject({
      ...{ verdict: said, informational: true },
      message: expect.stringMatching(message),
    });
  },
);

it.each([
  ['evidence', 'unknown'],
  ['platform', 'fail'],
] as const)(
  'a run that was aborted with %s to blame, after something had failed: %s',
  async (blame, expected) => {
    const verdict = await judged((r) => {
      ended(r, 'aborted', blame);
      Object.assign(r.ledger[0] ?? {}, {
        processed: 0,
        first_processed_us: null,
        result: null,
        artifact: null,
      });
    });
    expect(check(verdict, 'ledger/lost').verdict).toBe('fail');
    expect(verdict.verdict).toBe(expected);
    expect(verdict.reasons.join()).toContain('ledger/lost');
  },
);

describe('the claim, clause by clause', () => {
  const claims =
    (...judgedBy: string[][]) =>
    (r: SyntheticRun) => {
      const clauses = judgedBy.map((ids, i) => ({ says: `Clause ${i}.`, judgedBy: ids }));
      r.plan = { ...r.plan, scenario: { ...r.plan.scenario, clauses } };
    };

  it('each is as good as the worst of the checks that it names, and no other', async () => {
    const verdict = await judged((r) => {
      claims(['fault/*'], ['recovery/*', 'ledger/lost'])(r);
      Object.assign(r.ledger[0] ?? {}, {
        processed: 0,
        first_processed_us: null,
        result: null,
        artifact: null,
      });
    });
    expect(verdict.clauses?.map((clause) => clause.verdict)).toEqual(['pass', 'fail']);
    expect(verdict.clauses?.[1]?.checkIds).toContain('ledger/lost');
    expect(check(verdict, 'harness/claim').verdict).toBe('pass');
  });

  it('one that names what nothing judged makes the run unknown, where all else passes', async () => {
    const verdict = await judged(claims(['fault/*'], ['recovery/*', 'alert/Elsewhere/must-fire']));
    expect(verdict.clauses?.map((clause) => clause.verdict)).toEqual(['pass', 'unknown']);
    expect(verdict.verdict).toBe('unknown');
    expect(verdict.reasons).toEqual([
      'harness/claim: nothing was judged as alert/Elsewhere/must-fire, which the claim names',
    ]);
  });

  it('a clause that names nothing makes no bundle: it would hold without a look', async () => {
    await expect(judged(claims([]))).rejects.toThrow(EvidenceError);
  });

  it('what is only for information judges no clause', async () => {
    const verdict = await judged((r) => {
      claims(['harness/host'])(r);
      r.journal.push({ t: 20_000, type: 'host.sample', stolen: 0 });
    });
    expect(check(verdict, 'harness/host').verdict).toBe('pass');
    expect(verdict.clauses).toMatchObject([{ verdict: 'unknown', checkIds: [] }]);
  });
});

it('every check that a plan is said to have is made, and every one that counts is said', async () => {
  const run = passingRun();
  const { checks } = await judged(() => {});
  const made = checks.filter(({ informational, group }) => !informational && group !== 'harness');
  expect(made.map(({ id }) => id).sort()).toEqual(countedChecks(run.plan).sort());
});

it('a run at less than its load says so', async () => {
  const verdict = await judged((r) => {
    r.plan = { ...r.plan, run: { ...r.plan.run, loadScale: { builds: 0.035 } } };
  });
  expect(verdict.run.loadScale).toEqual({ builds: 0.035 });
});

describe('what was not judged', () => {
  it('a plan that claims nothing is unknown', async () => {
    const verdict = await judged((r) => {
      r.plan = {
        ...r.plan,
        streams: [],
        faults: [],
        objectives: [],
        alerts: [],
        rules: [],
        recovery: [],
        honesty: [],
      };
    });
    expect(verdict.verdict).toBe('unknown');
    expect(verdict.reasons.join()).toContain('nothing of the platform was judged');
  });

  it('informational objectives alone make no pass', async () => {
    const verdict = await judged((r) => {
      r.plan = {
        ...r.plan,
        streams: r.plan.streams.map((s) => ({ ...s, ledger: false })),
        faults: [],
        alerts: [],
        rules: [],
        recovery: [],
        honesty: [],
        objectives: r.plan.objectives
          .filter((o) => o.name === 'function-p95')
          .map((o) => ({ ...o, informational: true })),
      };
    });
    expect(verdict.verdict).toBe('unknown');
  });
});

function ended(
  run: SyntheticRun,
  outcome: 'interrupted' | 'aborted' | 'crashed',
  blame?: 'platform' | 'evidence' | 'harness',
): void {
  swap(run, 'run.ended', { outcome, reason: 'a reason', ...(blame ? { blame } : {}) });
}

/** The fault bit, and its alert fired, but later than planned. */
function late(run: SyntheticRun, ms: number): void {
  for (const e of run.journal) if ('fault' in e && e.t < TIMES.revert) e.t += ms;
  for (const a of run.alerts.filter(({ t }) => t < TIMES.revert)) {
    a.t += ms;
    if (a.source === 'receiver') a.startsAt += ms;
  }
}

function swap(run: SyntheticRun, type: string, change: object): void {
  const found = run.journal.filter((e) => e.type === type);
  expect(found.length).toBeGreaterThan(0);
  for (const entry of found) Object.assign(entry, change);
}

function edit(file: string, change: (lines: string[]) => void): void {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  change(lines);
  writeFileSync(file, `${lines.join('\n')}\n`);
}
