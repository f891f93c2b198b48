/** The plan of the sample bundle (sample.ts): scenario `builds-builder-killed` at time scale 10. */
import type { Plan } from '../evidence/plan.ts';
import { BUNDLE_VERSION, Plan as PlanSchema } from '../evidence/plan.ts';
import type { SampleOptions } from './sample.ts';

export const PHASES = [
  { name: 'baseline', startMs: 0, endMs: 40_000 },
  { name: 'inject', startMs: 40_000, endMs: 46_000 },
  { name: 'steady-fault', startMs: 46_000, endMs: 76_000 },
  { name: 'recover', startMs: 76_000, endMs: 106_000 },
  { name: 'recovered', startMs: 106_000, endMs: 150_000 },
];

export const SILENT = [
  'BuildFailureRateHigh',
  'BuildFailed',
  'BuildDurationHigh',
  'WorkqueueDepthHigh',
  'FunctionHighErrorRate',
  'FunctionHighLatency',
  'HighColdStartRate',
];

const requestsOf = (stream: string) => ({ table: 'requests' as const, where: `stream = '${stream}'` });

export function samplePlan(o: Required<SampleOptions>): Plan {
  const fault = `kill-builder${o.taint}`;
  const text = `name: ${o.scenario}\n# sample bundle, not a measurement ${o.taint}\n`;
  const stream = (name: string, rate: number, ledger: boolean) => ({
    name: name + o.taint,
    script: name,
    segments: PHASES.map((p) => ({
      phase: p.name,
      startMs: p.startMs,
      endMs: p.endMs,
      rate: rate * o.scale,
      count: Math.round(((p.endMs - p.startMs) / 1000) * rate * o.scale),
    })),
    timeoutMs: 10_000,
    maxVUs: 200,
    ledger,
    params: {},
  });
  const clauses = [
    {
      says: `Under 14 build commands and 32 invocations a second, a builder that is killed for 36 s loses no command,${o.taint}`,
      judgedBy: [`load/builds${o.taint}`, `fault/${fault}${o.taint}`, `ledger/lost${o.taint}`],
    },
    {
      says: 'BuilderServiceDown fires within 12 s of the effect and clears within 20 s,',
      judgedBy: [`alert/BuilderServiceDown${o.taint}`],
    },
    {
      says: 'and the platform is back to its baseline within 30 s.',
      judgedBy: [`recovery/builds-flow${o.taint}`],
    },
  ];
  return PlanSchema.parse({
    version: BUNDLE_VERSION,
    run: {
      id: `sample-${o.scenario}-${o.variant}`,
      seed: 42,
      timeScale: 10,
      startedAt: '2026-01-05T09:30:00.000Z',
      defects: o.variant === 'failing' ? ['ack-before-build'] : [],
    },
    scenario: {
      name: o.scenario,
      title: `A killed builder loses no build${o.taint}`,
      claim: clauses.map(({ says }) => says).join(' '),
      clauses,
      file: `scenarios/${o.scenario}.yaml`,
      sha256: 'a3f1c09d5e7b2846a3f1c09d5e7b2846a3f1c09d5e7b2846a3f1c09d5e7b2846',
      text,
    },
    target: { name: 'local', detail: { broker: 'RabbitMQ 3.10.8', registry: 'docker-registry 2.8.2' } },
    profile: { name: 'reference', sha256: '0b1d5c3e9f7a2846' },
    versions: {
      faultline: 'sample',
      node: '24.21.0',
      k6: '1.8.1',
      prometheus: '2.42.0',
      alertmanager: '0.25.0',
    },
    host: { os: 'Debian GNU/Linux 12', cpu: 'sample CPU', cores: 2, memoryGiB: 8, note: `sample${o.taint}` },
    slackMs: 2000,
    scrapeMs: 1000,
    evaluationMs: 1000,
    phases: PHASES,
    streams: [stream('builds', 14, true), stream('invocations', 32, false)],
    faults: [
      {
        name: fault,
        kind: 'process-kill',
        params: { component: 'builder', signal: 'SIGKILL' },
        injectMs: 40_000,
        revertMs: 76_000,
        effectWithinMs: 5000,
        watchEveryMs: null,
        undo: 'start the builder again',
        probe: 'builder-health',
      },
    ],
    objectives: [
      {
        name: 'build-accepted',
        title: 'Build commands accepted',
        source: 'SRE guide, Golden Signals',
        indicator: { type: 'ratio', good: "outcome = 'ok'", total: requestsOf('builds') },
        op: 'gte',
        target: 0.95,
        timeScaled: false,
        phases: PHASES.map((p) => p.name),
        minSamples: 50,
      },
    ],
    alerts: [
      {
        alert: 'BuilderServiceDown',
        labels: { severity: 'critical' },
        expect: 'must-fire',
        fault,
        withinMs: 12_000,
        clearsWithinMs: 20_000,
      },
      { alert: 'RabbitMQQueueBacklog', labels: {}, expect: 'may-fire', fault },
      ...[`HighErrorRate${o.taint}`, ...SILENT].map((alert) => ({
        alert,
        labels: {},
        expect: 'must-not-fire',
      })),
    ],
    rules: [
      {
        alert: 'BuilderServiceDown',
        expr: 'up{job="builder"} == 0',
        forMs: 5000,
        rangeMs: 0,
        shortestRangeMs: 0,
        labels: { severity: 'critical' },
        annotations: { summary: 'No builder is up' },
        file: 'slo/rules/critical.yaml',
      },
    ],
    recovery: [
      {
        name: 'builds-flow',
        fault,
        total: { table: 'ledger', where: 'accepted' },
        good: 'first_processed_us - sent_us < 5000000',
        target: 0.95,
        windowMs: 2000,
        windows: 3,
        from: 'revert',
        rtoMs: 30_000,
      },
    ],
    ledger: { drainMs: 20_000, maxLost: 0, maxFailed: 0, maxDuplicated: 0, maxUnexpected: 0 },
    load: { maxUnsentShare: 0.01, maxLatenessMs: 100, maxCpuShare: 0.9 },
    honesty: [],
    core: { builds: { qps: 'sum(rate(cloudevents_received_total[5s]))' } },
  });
}
