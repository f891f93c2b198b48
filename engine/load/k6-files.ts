/** The files that tell k6 what to send and when: `options.json` (k6's configuration) and `load.json` (for our scripts). */
import { periodNs } from '../../base/schedule.ts';
import type { Stream } from '../../evidence/plan.ts';
import type { LoadConfig, SegmentConfig } from '../../scenarios/k6/config.ts';

/** k6 refuses a scenario shorter than this, ms. */
const K6_SHORTEST_MS = 1000;
/** k6 cuts a request off at the end of gracefulStop without a record; a request's timeout must come first. */
const GRACE_MS = 2000;

/** k6's scenario name of one segment of a stream. */
export function scenarioName(stream: string, segment: number): string {
  return `${stream}__${segment}`;
}

/** What the scripts read from env FAULTLINE_LOAD. */
export function loadConfig(run: { id: string; seed: number }, streams: Stream[]): LoadConfig {
  const segments: Record<string, SegmentConfig> = {};
  streams.forEach((stream, streamIndex) => {
    let offset = 0;
    stream.segments.forEach((s, segment) => {
      segments[scenarioName(stream.name, segment)] = {
        stream: stream.name,
        streamIndex,
        segment,
        count: s.count,
        offset,
        lengthMs: s.endMs - s.startMs,
        timeoutMs: stream.timeoutMs,
        params: stream.params,
      };
      offset += s.count;
    });
  });
  return { runId: run.id, seed: run.seed, segments };
}

const ns = (value: number): string => `${Math.round(value)}ns`;

/**
 * k6's options: one constant-arrival-rate scenario a segment, startTime counted from the load's start.
 *
 * k6 starts iteration i of a scenario at i periods, for as long as its duration has not passed, so a duration that ends half
 * a period after the last wanted iteration gives exactly `count` of them. The period is given in nanoseconds (rate 1 a
 * timeUnit), which expresses any rate to half a nanosecond.
 * All VUs are there before the load starts: k6 drops one iteration for every VU that it has to make later.
 *
 * @param shards k6 processes that share it by execution segments
 */
export function k6Options(streams: Stream[], shards = 1): object {
  const scenarios: Record<string, object> = {};
  for (const stream of streams) {
    stream.segments.forEach((s, segment) => {
      if (s.count === 0) return;
      const period = periodNs(s.rate);
      // More VUs than requests would never have anything to do; a shard without one would do nothing of its share.
      const vus = Math.ceil(Math.min(stream.maxVUs, s.count) / shards) * shards;
      const name = scenarioName(stream.name, segment);
      scenarios[name] = {
        executor: 'constant-arrival-rate',
        exec: stream.script,
        env: { FAULTLINE_SEGMENT: name },
        startTime: ns(s.startMs * 1e6),
        duration: ns(Math.max(K6_SHORTEST_MS * 1e6, (s.count - 0.5) * period)),
        rate: 1,
        timeUnit: ns(period),
        preAllocatedVUs: vus,
        maxVUs: vus,
        gracefulStop: ns((stream.timeoutMs + GRACE_MS) * 1e6),
      };
    });
  }
  return { ...BASE_OPTIONS, scenarios };
}

/** Options of every k6 run of ours: the least work for k6 per request. */
export const BASE_OPTIONS = {
  // Samples of dropped iterations name their scenario; nothing else is needed.
  systemTags: ['scenario'],
  discardResponseBodies: true,
  noCookiesReset: true,
  maxRedirects: 0,
  setupTimeout: '1s',
};
