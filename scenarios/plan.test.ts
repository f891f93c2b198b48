import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import type { Objective, PlannedRule } from '../evidence/plan.ts';
import type { Catalog } from './catalog.ts';
import { loadScenarios } from './load.ts';
import { makePlan, type RunFacts } from './plan.ts';
import { SCRIPTS } from './schema.ts';

const rule = (alert: string, forMs: number, rangeMs = 0): PlannedRule => ({
  alert,
  expr: 'up == 0',
  forMs,
  rangeMs,
  shortestRangeMs: rangeMs,
  labels: {},
  annotations: {},
  file: 'rules.yaml',
});

const ratio = (target: number): Objective => ({
  name: 'build-success',
  title: 'Builds succeed',
  source: 'test',
  indicator: {
    type: 'ratio',
    good: 'true',
    total: { table: 'ledger', where: "stream = 'builds' AND accepted" },
  },
  op: 'gte',
  target,
  timeScaled: false,
  phases: ['run'],
  minSamples: 20,
  informational: false,
});

const catalog: Catalog = {
  target: 'local',
  scripts: SCRIPTS,
  tellsColdStarts: true,
  objectStore: true,
  profile: { name: 'reference', sha256: '', core: { builds: { qps: 'x' } }, honesty: [] },
  rules: [rule('Down', 2000), rule('Backlog', 10_000)],
  objectiveNames: ['build-success'],
  objective: (use) =>
    use.ref === 'build-success' ? { ...ratio(use.target ?? 0.95), phases: use.phases } : undefined,
  faultKinds: ['component-killed'],
  fault: (kind) =>
    kind === 'component-killed'
      ? {
          refuse: (p) => (p.component === 'builder' ? undefined : 'no such component'),
          undo: () => 'start it',
          probe: () => 'no answer',
          lasts: true,
        }
      : undefined,
  idleWindowMs: 0,
  scrapeMs: 250,
  evaluationMs: 250,
};

const facts: RunFacts = {
  loadScale: {},
  id: 'r1',
  seed: 1,
  timeScale: 60,
  startedAt: '2026-01-01T00:00:00.000Z',
  defects: [],
  targetDetail: {},
  versions: {},
  host: {},
  sharedCores: 2,
  loadPods: 0,
};

const SCENARIO = `apiVersion: faultline.dev/v1
kind: Scenario
metadata: { name: killed, title: Killed }
spec:
  claim: It comes back.
  phases: { baseline: 10m, inject: 10m, recover: 10m }
  load:
    - { name: builds, script: builds, rate: 10/s }
  faults:
    - { name: kill, kind: component-killed, params: { component: builder }, at: inject, until: recover }
  objectives:
    - { ref: build-success, phases: [run] }
  alerts:
    mustFire:
      - { alert: Down, fault: kill, within: 4m, clearsWithin: 2m }
`;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-plan-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function plan(text: string, overrides: Partial<Catalog> = {}) {
  const file = join(directory, 'scenario.yaml');
  writeFileSync(file, text);
  const [scenario] = loadScenarios([file]);
  return makePlan(scenario as NonNullable<typeof scenario>, { ...catalog, ...overrides }, facts);
}

function refusal(text: string, overrides: Partial<Catalog> = {}): string {
  try {
    plan(text, overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError);
    return (error as Error).message;
  }
  throw new Error('the plan was not refused');
}

describe('a platform that is spoken to otherwise', () => {
  it('refuses load that it has no way in for', () => {
    expect(refusal(SCENARIO, { scripts: ['invocations'] })).toMatch(
      /spec\.load\.0\.script: profile reference has no way in for "builds": expected one of invocations/,
    );
  });

  it('refuses objectives on cold starts that its answers do not tell', () => {
    const warm = ratio(0.8);
    const objective = () => ({
      ...warm,
      indicator: { ...warm.indicator, good: 'NOT cold' } as Objective['indicator'],
    });
    expect(refusal(SCENARIO, { tellsColdStarts: false, objective })).toMatch(
      /do not say which of them were cold starts: "build-success" can not be judged/,
    );
    expect(plan(SCENARIO, { tellsColdStarts: false }).objectives).toHaveLength(1);
  });
});

describe('the claim', () => {
  const clauses = (...judgedBy: string[]) =>
    SCENARIO.replace(
      'claim: It comes back.',
      `claim:
    - { says: 'When it is killed,', judgedBy: [fault/kill] }
    - { says: it comes back., judgedBy: [${judgedBy.map((id) => `'${id}'`).join(', ')}] }`,
    );

  it('is one sentence, of clauses that name what judges them', () => {
    const { scenario } = plan(clauses('objective/build-success/run', 'ledger/*'));
    expect(scenario.claim).toBe('When it is killed, it comes back.');
    expect(scenario.clauses?.[1]?.judgedBy).toEqual(['objective/build-success/run', 'ledger/*']);
    expect(plan(SCENARIO).scenario).not.toHaveProperty('clauses');
  });

  it('may name that nothing but the planned load was sent', () => {
    expect(plan(clauses('load/unplanned', 'load/generator')).scenario.clauses).toHaveLength(2);
  });

  it('is refused where nothing will judge a clause, with what would', () => {
    expect(refusal(clauses('alert/Down/must-fire/kill', 'objective/build-success/recover'))).toMatch(
      /scenario\.yaml:7: spec\.claim\.1\.judgedBy\.1: nothing is judged as "objective\/build-success\/recover": expected one of objective\/build-success\/run$/,
    );
    expect(refusal(clauses('recovery/*'))).toMatch(
      /nothing is judged as "recovery\/\*": expected one of load\/builds, /,
    );
    expect(refusal(SCENARIO.replace('claim: It comes back.', 'claim: []'))).toMatch(/spec\.claim: /);
  });
});

describe('names that come to nothing', () => {
  const complaint = (text: string) => refusal(SCENARIO + text);

  it('refuses a parameter that the load script does not have', () => {
    const load = SCENARIO.replace('rate: 10/s', 'rate: 10/s, params: { functoins: 6 }');
    expect(refusal(load)).toMatch(
      /spec\.load\.0\.params\.functoins: script "builds" has no such parameter: expected one of prefix, source$/,
    );
  });

  it('lets no event ask to fail: all of them would be in ledger/failed', () => {
    const load = (script: string) =>
      SCENARIO.replace(
        '  faults:',
        `    - { name: calls, script: ${script}, rate: 1/s, params: { failShare: 0.1 } }\n  faults:`,
      );
    expect(refusal(load('events'))).toMatch(
      /params\.failShare: script "events" has no such parameter: expected one of prefix, functions, workMs$/,
    );
    expect(plan(load('invocations')).streams).toHaveLength(2);
  });

  it('refuses an abort condition that can never hold', () => {
    const abort = (stream: string, phase: string) =>
      `  abort: [{ stream: ${stream}, errorShareAbove: 0.5, for: 1m, phases: [${phase}] }]\n`;
    expect(complaint(abort('bulids', 'inject'))).toMatch(
      /spec\.abort\.0\.stream: .*"bulids": expected one of builds$/,
    );
    expect(complaint(abort('builds', 'recovered'))).toMatch(
      /spec\.abort\.0\.phases\.0: .*no phase "recovered"/,
    );
    expect(plan(SCENARIO + abort('builds', 'inject')).phases).toHaveLength(3);
  });

  it('refuses what is promised twice: two checks would have one name', () => {
    expect(
      refusal(
        SCENARIO.replace('phases: [run] }', 'phases: [run] }\n    - { ref: build-success, phases: [run] }'),
      ),
    ).toMatch(/spec\.objectives\.1: "build-success" is judged twice in run/);
    expect(complaint('      - { alert: Down, fault: kill, within: 5m, clearsWithin: 2m }\n')).toMatch(
      /spec\.alerts\.mustFire\.1: "Down" must fire twice for kill/,
    );
    expect(complaint('  ledger: { failsWith: [kill, kill] }\n')).toMatch(/"kill" is there twice/);
    expect(complaint('  ledger: { refusedWhile: [kill, kill] }\n')).toMatch(/"kill" is there twice/);
    expect(complaint('  ledger: { refusedWhile: [nobody] }\n')).toMatch(/the scenario has no fault "nobody"/);
  });
});

describe('makePlan', () => {
  it('divides phases, deadlines and nothing else by the time scale', () => {
    const made = plan(SCENARIO);
    expect(made.phases).toEqual([
      { name: 'baseline', startMs: 0, endMs: 10_000 },
      { name: 'inject', startMs: 10_000, endMs: 20_000 },
      { name: 'recover', startMs: 20_000, endMs: 30_000 },
    ]);
    expect(made.faults[0]).toMatchObject({
      injectMs: 10_000,
      revertMs: 20_000,
      effectWithinMs: 5000,
      watchEveryMs: 2500,
    });
    expect(made.alerts[0]).toMatchObject({ withinMs: 4000, clearsWithinMs: 2000 });
    expect(made.streams[0]?.segments.map((s) => s.count)).toEqual([100, 100, 100]);
  });

  it.each([
    [
      'an unknown field',
      SCENARIO.replace('claim:', 'clam: x\n  claim:'),
      /scenario\.yaml:5: spec\.clam: unknown field/,
    ],
    [
      'a duration without a unit',
      SCENARIO.replace('baseline: 10m', 'baseline: "10"'),
      /scenario\.yaml:6: spec\.phases\.baseline: expected a duration with a unit/,
    ],
    [
      'a wrong rate',
      SCENARIO.replace('10/s', '10 per second'),
      /spec\.load\[0\]\.rate: expected a rate such as/,
    ],
    [
      'an unknown fault',
      SCENARIO.replace('component-killed', 'meteor'),
      /scenario\.yaml:\d+: spec\.faults\.0\.kind: unknown fault "meteor"/,
    ],
    [
      'a fault that the target can not do',
      SCENARIO.replace('component: builder', 'component: moon'),
      /no such component/,
    ],
    [
      'a fault that is reverted before it is injected',
      SCENARIO.replace('at: inject, until: recover', 'at: recover, until: inject'),
      /not after its injection/,
    ],
    [
      'a fault too short to be proven',
      SCENARIO.replace('inject: 10m', 'inject: 2m'),
      /less than the 5s in which its effect must be proven/,
    ],
    [
      'an alert that no rule file has',
      SCENARIO.replace('alert: Down', 'alert: Upp'),
      /no rule file has an alert "Upp"/,
    ],
    [
      'an alert that can not fire within the fault',
      SCENARIO.replace('alert: Down', 'alert: Backlog'),
      /lasts 10s, but Backlog needs for \+ scrape \+ evaluation = 10s500ms/,
    ],
    [
      'a deadline before which no alert can fire',
      SCENARIO.replace('within: 4m', 'within: 1s'),
      /no alert can be that fast/,
    ],
    [
      'an objective that nobody knows',
      SCENARIO.replace('ref: build-success', 'ref: happiness'),
      /unknown objective "happiness"/,
    ],
    [
      'an objective that the request count can not resolve',
      SCENARIO.replace('ref: build-success,', 'ref: build-success, target: 0.9999,'),
      /300 requests can not resolve 99\.99 %: expected at least 10000/,
    ],
    [
      'fewer requests than an objective needs to be judged at all',
      SCENARIO.replace('ref: build-success,', 'ref: build-success, target: 1,').replace(
        /rate: [\d.]+\/s/,
        'rate: 0.1/s',
      ),
      /requests can not resolve 100 %: expected at least 20/,
    ],
    [
      'a share above all',
      SCENARIO.replace('ref: build-success,', 'ref: build-success, target: 99.9,'),
      /spec\.objectives\.0\.target: 99\.9 is no share: expected 0 to 1/,
    ],
    ['a load that sends nothing', SCENARIO.replace('rate: 10/s', 'rate: 0/s'), /sends nothing/],
    [
      'two faults of one name',
      SCENARIO.replace(
        '  objectives:',
        '    - { name: kill, kind: component-killed, params: { component: builder } }\n  objectives:',
      ),
      /"kill" is used twice/,
    ],
  ])('refuses %s', (_what, text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  it('names all problems at once', () => {
    const text = refusal(
      SCENARIO.replace('ref: build-success', 'ref: happiness').replace('alert: Down', 'alert: Upp'),
    );
    expect(text.split('\n')).toHaveLength(2);
  });

  it('refuses a rule whose range is under four scrapes', () => {
    expect(refusal(SCENARIO, { rules: [rule('Down', 2000, 900)] })).toMatch(
      /range of Down is 900ms .* under 4 scrapes/,
    );
  });
});

describe('a fault and the range of its alert', () => {
  const down = (more: Partial<PlannedRule>) => ({ rules: [{ ...rule('Down', 0), ...more }] });
  // Ten minutes, at 60: 10 s.
  const ten = { rangeMs: 10_000, shortestRangeMs: 10_000 };

  it('is refused when it can not fill what it must of it', () => {
    const short = SCENARIO.replace('until: recover }', 'until: recover, after: 4m }');
    expect(refusal(short, down({ ...ten, fillMs: 6000 }))).toMatch(
      /fault "kill" lasts 6s, but Down needs 6s of its range \+ for \+ scrape \+ evaluation = 6s500ms: expected a longer fault/,
    );
    expect(plan(short, down({ ...ten, fillMs: 5000 })).alerts).toHaveLength(1);
    // All of it, for 1 s: nothing of the range is left that could hold the condition.
    expect(refusal(SCENARIO, down({ ...ten, fillMs: 10_000, forMs: 1000 }))).toMatch(
      /10s of its range \+ for \+ scrape \+ evaluation = 11s500ms/,
    );
  });

  it('may be shorter than `for` where the range remembers it', () => {
    const within = (text: string) => text.replace('within: 4m', 'within: 13m');
    expect(plan(within(SCENARIO), down({ ...ten, forMs: 12_000 })).alerts).toHaveLength(1);
    expect(refusal(within(SCENARIO), down({ forMs: 12_000 }))).toMatch(
      /Down needs for \+ scrape \+ evaluation = 12s500ms/,
    );
    expect(refusal(within(SCENARIO), down({ ...ten, forMs: 22_000 }))).toMatch(
      /needs for \+ scrape \+ evaluation - 10s in which its range may still hold = 12s500ms/,
    );
  });

  it('is not asked to fill the range of a rate', () => {
    expect(plan(SCENARIO, down({ rangeMs: 300_000, shortestRangeMs: 300_000 })).alerts).toHaveLength(1);
  });

  it('makes no alert sooner than its range fills, or its metrics are scraped', () => {
    expect(refusal(SCENARIO, down({ ...ten, fillMs: 8000 }))).toMatch(
      /mustFire\.0\.within: 4s is less than 8s of its range \+ for \+ scrape \+ evaluation = 8s500ms/,
    );
    // Every 5 s, and not every 250 ms.
    expect(refusal(SCENARIO, down({ expr: 'kube_pod_status_ready == 0', forMs: 2000 }))).toMatch(
      /4s is less than for \+ scrape \+ evaluation = 7s250ms/,
    );
  });
});

describe('windows of a recovery', () => {
  const recovery = (rates: string, more = '') =>
    `${SCENARIO.replace('rate: 10/s', rates)}  recovery: [{ name: back, fault: kill, stream: builds, measure: processed, window: 1m, windows: 3, rto: 5m${more} }]\n`;

  it('must be longer than the time between two requests, and its lateness', () => {
    expect(refusal(recovery('rate: 10/s, rates: { recover: 1/s }'))).toMatch(
      /spec\.recovery\.0\.window: windows of 1s at this time scale may be empty: "builds" sends one request each 1s in recover: expected a window of 2m in the scenario, or 2\/s there/,
    );
    expect(plan(recovery('rate: 10/s, rates: { recover: 1.2/s }')).recovery).toHaveLength(1);
    expect(refusal(recovery('rate: 10/s, rates: { recover: 0/s }'))).toMatch(
      /"builds" sends nothing in recover: expected 2\/s there/,
    );
  });

  it('are asked in the phases that they cover', () => {
    expect(plan(recovery('rate: 10/s, rates: { baseline: 0/s, inject: 0.5/s }')).recovery).toHaveLength(1);
    expect(refusal(recovery('rate: 10/s, rates: { inject: 0.5/s }', ', from: injection'))).toMatch(
      /each 2s in inject: expected a window of 4m/,
    );
    expect(
      plan(recovery('rate: 10/s, rates: { recover: 0.5/s }', ', from: injection')).recovery,
    ).toHaveLength(1);
    // Eight minutes after the revert all that may be needed is there.
    const later = (length: string, rest: string) =>
      recovery(rest).replace('recover: 10m }', `recover: ${length}, recovered: 10m }`);
    expect(plan(later('8m', 'rate: 10/s, rates: { recovered: 0/s }')).recovery).toHaveLength(1);
    expect(refusal(later('7m', 'rate: 10/s, rates: { recovered: 0/s }'))).toMatch(/nothing in recovered/);
  });
});

describe('an objective on going to zero', () => {
  const objective: Catalog['objective'] = (use) => ({
    ...ratio(0.9),
    name: use.ref,
    phases: use.phases,
    indicator: {
      type: 'quantile',
      statistic: 'max',
      value: 'seconds',
      rows: { table: 'scaling', where: use.ref === 'scale-up' ? "kind = 'up'" : "kind = 'to_zero'" },
      unit: 's',
    },
  });
  const functions = (minScale: number, ref = 'scale-to-zero') =>
    SCENARIO.replace('ref: build-success', `ref: ${ref}`).replace(
      '  load:',
      `  functions: [{ prefix: a, minScale: 0 }, { prefix: b, minScale: ${minScale} }]\n  load:`,
    );

  it('is refused where functions must stay', () => {
    expect(refusal(functions(1), { objective })).toMatch(
      /spec\.objectives\.0\.ref: "scale-to-zero" is asked of every function, and functions "b" stay by their minScale: expected minScale 0/,
    );
    expect(plan(functions(0), { objective }).objectives).toHaveLength(1);
    expect(plan(functions(1, 'scale-up'), { objective }).objectives).toHaveLength(1);
  });

  it('is refused where the load makes them stay', () => {
    const load = (minScale: number) =>
      functions(0).replace(
        '  faults:',
        `    - { name: updates, script: updates, rate: 1/s, params: { prefix: b, minScale: ${minScale} } }\n  faults:`,
      );
    expect(refusal(load(1), { objective })).toMatch(/functions that "updates" updates stay/);
    expect(plan(load(0), { objective }).objectives).toHaveLength(1);
  });
});

describe('an objective on a query that is asked once a phase', () => {
  const series = (kind: 'phase' | 'range'): Partial<Catalog> => ({
    objective: (use) => ({
      ...ratio(0.9),
      phases: use.phases,
      indicator: { type: 'series', statistic: 'max', query: 'errors', kind, unit: '' },
    }),
  });
  const short = SCENARIO.replace('baseline: 10m', 'baseline: 50s');

  it('is refused over the run when a phase is too short for it', () => {
    expect(refusal(short, series('phase'))).toMatch(
      /spec\.objectives\.0\.phases: phase "baseline" lasts 833ms, under 4 scrapes of 250ms/,
    );
    expect(plan(SCENARIO, series('phase')).objectives).toHaveLength(1);
    expect(plan(short, series('range')).objectives).toHaveLength(1);
  });
});

describe('loadScenarios', () => {
  const load = (content: string | Buffer) => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, content);
    return () => loadScenarios([file]);
  };
  it('refuses a binary file', () =>
    expect(load(Buffer.from([0x7f, 0x45, 0, 1]))).toThrow(/is a binary file/));
  it('refuses a huge file', () => expect(load(`a: ${'x'.repeat(1_000_001)}`)).toThrow(/is too large/));
  it('refuses what is not YAML, with its line', () =>
    expect(load('a: [1,\nb: }')).toThrow(/bad\.yaml:\d+: not valid YAML/));
  it('refuses a missing file', () =>
    expect(() => loadScenarios([join(directory, 'none.yaml')])).toThrow(/can not be read/));
  it('refuses two scenarios of one name, and names both files', () => {
    const files = ['a.yaml', 'b.yaml'].map((name) => join(directory, name));
    for (const file of files) writeFileSync(file, SCENARIO);
    expect(() => loadScenarios(files)).toThrow(/"killed" is already the name of .*a\.yaml/);
  });
});
