/** The few calls of Prometheus's HTTP API that evidence is made of. Every answer is checked; an error is never an empty result. */
import { z } from 'zod';
import { EvidenceError, NoAnswerError } from '../../base/errors.ts';

const Matrix = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.string(),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])).optional(),
        value: z.tuple([z.number(), z.string()]).optional(),
      }),
    ),
  }),
});

const Rules = z.object({
  status: z.literal('success'),
  data: z.object({
    groups: z.array(
      z.object({
        name: z.string(),
        file: z.string(),
        rules: z.array(
          z.object({
            name: z.string(),
            health: z.string(),
            lastError: z.string().optional(),
            type: z.string(),
          }),
        ),
      }),
    ),
  }),
});

const Names = z.object({ status: z.literal('success'), data: z.array(z.string()) });

const RuntimeInfo = z.object({ data: z.object({ startTime: z.iso.datetime({ offset: true }) }) });

export interface Sample {
  /** Milliseconds since the epoch. */
  wallMs: number;
  value: number;
}

export interface PromSeries {
  labels: Record<string, string>;
  samples: Sample[];
}

export interface RuleHealth {
  alert: string;
  group: string;
  file: string;
  health: string;
  lastError: string;
}

/** By rule group, as `file;group`. */
export interface GroupEvaluations {
  evaluations: ReadonlyMap<string, number>;
  /** Single rules of the group that could not be evaluated, each time counted. */
  failures: ReadonlyMap<string, number>;
}

const SKEW_ASKED = 5;
const WITHIN_MS = 10_000;

export class PrometheusClient {
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Raw samples of a selector in (at - rangeMs, at]. */
  raw(selector: string, atMs: number, rangeMs: number): Promise<PromSeries[]> {
    return this.instant(`${selector}[${Math.ceil(rangeMs)}ms]`, atMs);
  }

  /**
   * How far Prometheus's clock is from this host's, ms, by the quickest of several answers, less what the way there may be of it: its
   * samples have its instants, and the run's have this host's.
   */
  async skewMs(): Promise<number> {
    let best = { skewMs: 0, roundMs: Number.POSITIVE_INFINITY };
    for (let i = 0; i < SKEW_ASKED; i++) {
      const before = Date.now();
      const began = performance.now();
      const [value] = await this.series('/api/v1/query', { query: 'vector(time())' });
      const roundMs = performance.now() - began;
      const there = (value?.samples[0]?.value ?? Number.NaN) * 1000;
      if (roundMs < best.roundMs) best = { skewMs: there - (before + roundMs / 2), roundMs };
    }
    return Math.sign(best.skewMs) * Math.max(0, Math.abs(best.skewMs) - best.roundMs / 2);
  }

  /** Value of a query at one instant. */
  async instant(query: string, atMs: number): Promise<PromSeries[]> {
    return this.series('/api/v1/query', { query, time: String(atMs / 1000) });
  }

  async range(query: string, fromMs: number, toMs: number, stepMs: number): Promise<PromSeries[]> {
    return this.series('/api/v1/query_range', {
      query,
      start: String(fromMs / 1000),
      end: String(toMs / 1000),
      step: String(stepMs / 1000),
    });
  }

  async rules(): Promise<RuleHealth[]> {
    const { data } = Rules.parse(await this.get('/api/v1/rules', { type: 'alert' }));
    return data.groups.flatMap((g) =>
      g.rules.map((r) => ({
        alert: r.name,
        group: g.name,
        file: g.file,
        health: r.health,
        lastError: r.lastError ?? '',
      })),
    );
  }

  /** Of every metric that it has had since it was started. Source: Prometheus's HTTP API, "Querying label values". */
  async metricNames(): Promise<ReadonlySet<string>> {
    return new Set(Names.parse(await this.get('/api/v1/label/__name__/values', {})).data);
  }

  /** When its process was started, milliseconds since the epoch. Source: Prometheus's HTTP API, "Runtime Information". */
  async startedWallMs(): Promise<number> {
    return Date.parse(RuntimeInfo.parse(await this.get('/api/v1/status/runtimeinfo', {})).data.startTime);
  }

  /** What each rule group did since Prometheus started, from its own metrics; keys `file;group`. */
  async groupEvaluations(): Promise<GroupEvaluations> {
    const text = await this.text('/metrics');
    const byGroup = (metric: string) =>
      new Map(
        [...text.matchAll(new RegExp(`^${metric}\\{rule_group="([^"]+)"\\} (\\S+)`, 'gm'))].map((m) => [
          m[1] as string,
          Number(m[2]),
        ]),
      );
    return {
      evaluations: byGroup('prometheus_rule_group_iterations_total'),
      failures: byGroup('prometheus_rule_evaluation_failures_total'),
    };
  }

  private async series(path: string, parameters: Record<string, string>): Promise<PromSeries[]> {
    const { data } = Matrix.parse(await this.get(path, parameters));
    return data.result.map((r) => ({
      labels: r.metric,
      samples: (r.values ?? (r.value ? [r.value] : [])).map(([at, value]) => ({
        wallMs: at * 1000,
        value: numberOf(value),
      })),
    }));
  }

  private async get(path: string, parameters: Record<string, string>): Promise<unknown> {
    return JSON.parse(
      await this.text(`${path}?${new URLSearchParams(parameters)}`, parameters.query ?? path),
    );
  }

  /** @throws EvidenceError with Prometheus's own words; a NoAnswerError when another try may help. */
  private async text(pathAndQuery: string, what = pathAndQuery): Promise<string> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.url + pathAndQuery, { signal: AbortSignal.timeout(WITHIN_MS) });
      text = await response.text();
    } catch (cause) {
      const path = pathAndQuery.split('?')[0];
      throw new NoAnswerError(`Prometheus did not answer ${path}: ${(cause as Error).message}`, { cause });
    }
    if (response.ok) return text;
    const said = `Prometheus answered ${response.status} to ${what}: ${text.slice(0, 300)}`;
    // 503 is a query that took too long, or was cut off. Source: Prometheus's HTTP API, "Format overview".
    const mayHelp = response.status >= 500 || response.status === 429;
    throw mayHelp ? new NoAnswerError(said) : new EvidenceError(said);
  }
}

/** Of a sample, which is a text since it may be infinite, or no number. Source: Prometheus's HTTP API, "Expression query result formats". */
function numberOf(text: string): number {
  const infinite = /^([+-]?)Inf$/.exec(text);
  if (infinite === null) return Number(text);
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
