/**
 * A realistic bundle for the tests and for work on the design of the reports: a builder is killed under load, a queue
 * rises and drains, an alert fires and clears. The platform is a small queue simulation here, so that requests, ledger,
 * series and verdict agree with each other. It says `sample` wherever a reader could take it for a measurement.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { AlertChange } from '../evidence/alerts.ts';
import type { JournalEntry, JournalFact } from '../evidence/journal.ts';
import { FILES, TABLES, type TableName } from '../evidence/tables.ts';
import type { RequestTrace } from '../evidence/traces.ts';
import { PHASES, samplePlan } from './sample-plan.ts';
import { type SampleFacts, sampleVerdict } from './sample-verdict.ts';

export interface SampleOptions {
  /** `failing`: the builder acknowledges before it builds, so that a kill loses commands. */
  variant?: 'passing' | 'failing' | 'unknown';
  /** Multiplies every rate. 1 gives about 7 000 requests. */
  scale?: number;
  /** Put into every name that comes from outside; for tests of escaping. */
  taint?: string;
  scenario?: string;
}

type Row = Record<string, string | number | boolean | null>;

/** Deterministic numbers in [0, 1): mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

const phaseAt = (ms: number) => PHASES.find((p) => ms >= p.startMs && ms < p.endMs)?.name ?? 'recovered';
/** The journal is opened this long before the run starts; its entries count from there. */
const OPENED_BEFORE_MS = 15_000;
const KILLED = 40_300;
const BACK = 76_900;

/** Log-normal latency in ms around `median`, heavier while the broker is under memory pressure. */
function latency(random: () => number, median: number, ms: number): number {
  const z = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const pressure =
    ms > KILLED + 4000 && ms < BACK + 14_000 ? 1 + 5 * Math.sin(((ms - 44_300) / 46_600) * Math.PI) : 1;
  return median * pressure * Math.exp(0.45 * z);
}

function simulate(options: Required<SampleOptions>) {
  const random = randomFrom(7);
  const requests: Row[] = [];
  const events: {
    id: string;
    phase: string;
    sent: number;
    accepted: boolean;
    status: number;
    answered: number;
  }[] = [];
  const stream = (name: string, rate: number, median: number, ledger: boolean) => {
    const total = Math.floor((rate * options.scale * 150_000) / 1000);
    for (let n = 0; n < total; n++) {
      const intended = (n * 1000) / (rate * options.scale);
      const sent = intended + 0.2 + random() * 1.2;
      const bad = intended > KILLED + 800 && intended < KILLED + 2600 && random() < 0.25;
      const cold = !ledger && intended < 2500 && random() < 0.2;
      const done = sent + (bad ? 900 + random() * 300 : latency(random, median, intended) + (cold ? 850 : 0));
      const id = ledger ? `b${String(n).padStart(7, '0')}` : `i${String(n).padStart(7, '0')}`;
      const status = bad ? 503 : ledger ? 202 : 200;
      requests.push({
        stream: name + options.taint,
        phase: phaseAt(intended),
        n,
        intended_us: Math.round(intended * 1000),
        sent_us: Math.round(sent * 1000),
        done_us: Math.round(done * 1000),
        status,
        outcome: bad ? 'failed' : 'ok',
        cold,
        event_id: id,
      });
      if (ledger) events.push({ id, phase: phaseAt(sent), sent, accepted: !bad, status, answered: done });
    }
  };
  stream('builds', 14, 9, true);
  stream('invocations', 32, 24, false);

  // The builder: 24 slots at about 0.7 s a build; nothing is taken while it is down.
  const slots = Array.from({ length: Math.max(1, Math.round(24 * options.scale)) }, () => 0);
  const ledger: Row[] = [];
  const finished: number[] = [];
  for (const e of events) {
    let processed: number | null = null;
    let lost = false;
    if (e.accepted) {
      let slot = 0;
      for (let i = 1; i < slots.length; i++) if ((slots[i] as number) < (slots[slot] as number)) slot = i;
      let begin = Math.max(e.answered, slots[slot] as number);
      const takes = 450 + random() * 500;
      const hit = begin < KILLED && begin + takes > KILLED;
      if (hit && options.variant === 'failing') lost = true;
      if (hit || (begin >= KILLED && begin < BACK)) begin = BACK + 200 + random() * 150;
      if (!lost) {
        slots[slot] = begin + takes;
        processed = begin + takes;
        finished.push(processed);
      }
    }
    ledger.push({
      event_id: e.id,
      stream: `builds${options.taint}`,
      phase: e.phase,
      sent_us: Math.round(e.sent * 1000),
      answered_us: Math.round(e.answered * 1000),
      status: e.status,
      accepted: e.accepted,
      processed: processed === null ? 0 : 1,
      first_processed_us: processed === null ? null : Math.round(processed * 1000),
      result: processed === null ? null : 'completed',
      artifact: processed === null ? null : `sha256:${e.id}`,
      artifact_found: processed === null ? null : true,
    });
  }
  return { requests, ledger, series: seriesOf(events, ledger, options) };
}

function seriesOf(
  events: { accepted: boolean; answered: number }[],
  ledger: Row[],
  options: Required<SampleOptions>,
): Row[] {
  const rows: Row[] = [];
  const done = ledger.map((r) =>
    r.first_processed_us === null ? Infinity : Number(r.first_processed_us) / 1000,
  );
  const lostAt = options.variant === 'failing' ? KILLED : Infinity;
  for (let t = 1000; t <= 150_000; t += 1000) {
    const up = t < KILLED || t > BACK;
    let waiting = 0;
    for (let i = 0; i < events.length; i++) {
      const e = events[i] as (typeof events)[number];
      const end = done[i] as number;
      if (e.accepted && e.answered <= t && end > t && !(end === Infinity && t > lostAt)) waiting++;
    }
    const running = up ? Math.min(waiting, Math.round(24 * options.scale)) : 0;
    const add = (query: string, value: number, labels: Row = {}, kind = 'range') =>
      rows.push({ query, kind, phase: null, labels: JSON.stringify(labels), t_us: t * 1000, value });
    add('queue_depth', waiting - running, { queue: `build-commands${options.taint}` });
    add('kaniko_jobs', running);
    add('objective.kaniko-jobs', running);
    add('workqueue_depth', 0);
    add('cold_starts', 0);
    // Queues that are none of the platform's: the broker's own, and the harness's ear.
    add('queue_depth', 7, { queue: 'amq.gen-sample' });
    add('queue_depth', 9, { queue: 'faultline-tap' });
    add('queue_depth', 0, { queue: 'dead-letters' });
    const pods = t < 2000 ? 1 : t < 50_000 ? 3 : 4;
    if (t === 1000 || t === 2000 || t === 50_000) add('pods', pods, { function: 'hello' }, 'observed');
    add('core.builds.qps', 14 * options.scale + Math.sin(t / 9000) * 0.4);
  }
  return rows;
}

async function writeTable(dir: string, table: TableName, rows: Row[]): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const db = await instance.connect();
  const raw = join(dir, `${table}.ndjson.tmp`);
  await writeFile(raw, rows.map((row) => JSON.stringify(row)).join('\n'));
  await db.run(TABLES[table]);
  const quoted = (path: string) => `'${path.replaceAll("'", "''")}'`;
  await db.run(
    `INSERT INTO ${table} BY NAME SELECT * FROM read_json(${quoted(raw)}, format='newline_delimited')`,
  );
  await db.run(`COPY ${table} TO ${quoted(join(dir, FILES[table]))} (FORMAT parquet, COMPRESSION zstd)`);
  db.closeSync();
  instance.closeSync();
  await rm(raw);
}

function journalOf(options: Required<SampleOptions>): JournalEntry[] {
  const fault = `kill-builder${options.taint}`;
  const facts: [number, JournalFact][] = [
    [-9000, { type: 'component.started', component: 'builder', pid: 4711 }],
    [
      -9000,
      {
        type: 'image.ran',
        component: 'builder',
        container: 'builder',
        image: `registry:5000/platform:1${options.taint}`,
        id: `registry:5000/platform@sha256:4a5b${options.taint}`,
      },
    ],
    [0, { type: 'run.started' }],
    ...PHASES.flatMap((p): [number, JournalFact][] => [
      [p.startMs, { type: 'phase.started', phase: p.name }],
      [p.endMs, { type: 'phase.ended', phase: p.name }],
    ]),
    [39_990, { type: 'fault.undo-recorded', fault, undo: 'start the builder again' }],
    [40_010, { type: 'fault.injecting', fault }],
    [40_290, { type: 'fault.injected', fault, detail: 'SIGKILL to pid 4711' }],
    [
      40_300,
      {
        type: 'component.exited',
        component: 'builder',
        pid: 4711,
        code: null,
        signal: 'SIGKILL',
        expected: true,
      },
    ],
    [41_050, { type: 'fault.effect-seen', fault, probe: 'builder-health', detail: 'connection refused' }],
    [76_000, { type: 'fault.reverting', fault }],
    [76_400, { type: 'fault.reverted', fault }],
    [76_500, { type: 'component.started', component: 'builder', pid: 4802 }],
    [77_200, { type: 'fault.effect-gone', fault, probe: 'builder-health', detail: 'ready' }],
    [77_900, { type: 'fault.audit', fault, clean: true, leaks: [] }],
    [150_010, { type: 'drain.started', outstanding: 9 }],
    [151_200, { type: 'drain.ended', outstanding: 0, timedOut: false }],
    [151_300, { type: 'traces.collected', asked: 2, found: 1 }],
    [
      152_000,
      { type: 'component.exited', component: 'builder', pid: 4802, code: 0, signal: null, expected: true },
    ],
    [153_000, { type: 'run.ended', outcome: 'completed' }],
  ];
  facts.sort((a, b) => a[0] - b[0]);
  const origin = Date.UTC(2026, 0, 5, 9, 30, 0);
  return facts.map(([t, fact], seq) => ({
    seq,
    t: t + OPENED_BEFORE_MS,
    wall: new Date(origin + t).toISOString(),
    ...fact,
  }));
}

function alertsOf(facts: SampleFacts): AlertChange[] {
  const changes: AlertChange[] = [];
  for (const a of facts.alerts) {
    const labels = { alertname: a.alert, severity: 'critical' };
    const prometheus = (t: number, state: 'pending' | 'firing' | 'inactive') =>
      changes.push({ source: 'prometheus', t, alert: a.alert, labels, state });
    if (a.pendingMs !== undefined) prometheus(a.pendingMs, 'pending');
    if (a.firingMs !== undefined) prometheus(a.firingMs, 'firing');
    if (a.clearMs !== undefined) prometheus(a.clearMs, 'inactive');
    for (const d of a.delivered)
      changes.push({
        source: 'receiver',
        t: d.t,
        alert: a.alert,
        labels,
        state: d.state,
        startsAt: a.firingMs ?? 0,
      });
  }
  return changes.sort((a, b) => a.t - b.t);
}

function tracesOf({ taint }: { taint: string }): RequestTrace[] {
  const request = { stream: 'builds', phase: 'inject', clientMs: 812.4 };
  const span = { id: '00000000000000aa', parent: null, startMs: 41_200, durationMs: 790, error: true };
  return [
    {
      ...request,
      ...{ traceId: `4bf9${taint}`, eventId: 'sample.builds.1.7', why: 'failed' },
      spans: [
        { ...span, service: `knative-lambda-receiver${taint}`, name: `accept${taint}` },
        {
          ...span,
          service: 'knative-lambda-builder',
          name: 'build',
          id: '00000000000000ab',
          parent: span.id,
          durationMs: 1,
        },
      ],
    },
    { ...request, traceId: '4bfa', eventId: 'sample.builds.1.8', why: 'slowest', spans: [] },
  ];
}

/** Writes a whole bundle into `dir`, which is made if need be. Same options, same bytes in the text files. */
export async function writeSampleBundle(dir: string, given: SampleOptions = {}): Promise<void> {
  const options = {
    variant: 'passing',
    scale: 1,
    taint: '',
    scenario: 'builds-builder-killed',
    ...given,
  } as const;
  await mkdir(dir, { recursive: true });
  const { requests, ledger, series } = simulate(options);
  for (const [table, rows] of [
    ['requests', requests],
    ['ledger', ledger],
    ['series', series],
  ] as const)
    await writeTable(dir, table, [...rows]);
  const plan = samplePlan(options);
  const { facts, verdict } = await sampleVerdict(dir, plan, options);
  const lines = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFile(join(dir, FILES.plan), `${JSON.stringify(plan, null, 2)}\n`);
  await writeFile(join(dir, FILES.journal), lines(journalOf(options)));
  await writeFile(join(dir, FILES.alerts), lines(alertsOf(facts)));
  await writeFile(join(dir, FILES.traces), lines(tracesOf(options)));
  await writeFile(join(dir, FILES.verdict), `${JSON.stringify(verdict, null, 2)}\n`);
}
