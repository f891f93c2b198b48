/**
 * The one way in which a k6 script sends a request: it names the request, sends it at once, and leaves its record.
 *
 * The record is metadata of the VU (metadata makes no time series): `r` = `<n> <status> <o|f|t>[c]`, which k6 puts on the
 * `iteration_duration` sample; that sample's time and value give when the request started and ended. The first request of
 * a segment appends `@<start of the scenario, ms since the epoch>`. engine/load/import-sql.ts reads it.
 * The samples of the request itself carry the record of the VU's request before; nobody reads those.
 *
 * This runs once a request, in an interpreter: what is the same for a whole segment is made once (bench/k6.ts).
 */
import exec from 'k6/execution';
import http, { type RefinedResponse, type ResponseType } from 'k6/http';
import { eventId, traceparents } from '../../base/event-id.ts';
import type { LoadConfig, SegmentConfig } from './config.ts';

const config = JSON.parse(open(__ENV.FAULTLINE_LOAD as string)) as LoadConfig;

// Statuses are judged here and not by k6: without this, k6 writes one more sample for every request.
// k6 documents null here; @types/k6 does not know it.
(http.setResponseCallback as unknown as (callback: null) => void)(null);

// Reading an import costs more than reading a constant, at every use.
const { post } = http;

/** k6's code for a request that took longer than its timeout. https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
const TIMED_OUT = 1050;

/** The commonest answer, for which nothing has to be looked at twice. */
const ACCEPTED = 202;
const ACCEPTED_OK = ' 202 o';

/** k6 runs nothing shorter than this, ms. */
const SHORTEST_SCENARIO_MS = 1000;

/** What a script makes of a segment: its next request, which `turn` changes into the one at position k of the stream's schedule. */
export interface Script {
  /** CloudEvent type of all its requests. */
  type: string;
  request: {
    url: string;
    /** CloudEvent subject. */
    subject: string;
    body: string;
    /** The status that this request asks for. */
    expect: number;
  };
  turn(k: number): void;
}

interface Segment {
  name: string;
  count: number;
  offset: number;
  /** Nothing is started later than this after the scenario's start, ms; 0: k6 sees to it, as in all but the shortest segments. */
  cutMs: number;
  script: Script;
  /** Ids and subject are replaced for each request. */
  headers: Record<string, string>;
  params: { headers: Record<string, string>; timeout: number };
  idPrefix: string;
  traceparent: (digits: string) => string;
}

// One set per VU: k6 gives every VU a JavaScript runtime of its own.
const segments = new Map<string, Segment>();
let current: Segment | undefined;
let scenario: typeof exec.scenario;
let metadata: Record<string, string | number | boolean>;

function enter(name: string, make: (segment: SegmentConfig) => Script): Segment {
  // Both objects read through to the VU's state at each access, so one of each is enough.
  scenario ??= exec.scenario;
  metadata ??= exec.vu.metrics.metadata as typeof metadata;
  current = segments.get(name);
  if (current) return current;
  const c = config.segments[name];
  if (!c) throw new Error(`no segment ${name} in ${__ENV.FAULTLINE_LOAD}`);
  const script = make(c);
  // Names as Go writes them, so that k6 does not have to.
  const headers = {
    'Content-Type': 'application/json',
    'Ce-Specversion': '1.0',
    'Ce-Source': 'faultline',
    'Ce-Type': script.type,
  };
  current = {
    ...{ name, script, headers, count: c.count, offset: c.offset },
    cutMs: c.lengthMs < SHORTEST_SCENARIO_MS ? c.lengthMs : 0,
    params: { headers, timeout: c.timeoutMs },
    idPrefix: eventId(config.runId, c.stream, c.segment, 0).slice(0, -1),
    traceparent: traceparents(config.runId, c.streamIndex, c.segment),
  };
  segments.set(name, current);
  return current;
}

/** Sends the next request of the k6 scenario that this VU is in. Its requests must depend on segment and k only. */
export function send(make: (segment: SegmentConfig) => Script): void {
  // k6 sets it when a VU enters a scenario; reading it costs less than asking for exec.scenario.name.
  const name = __ENV.FAULTLINE_SEGMENT as string;
  const segment = current !== undefined && current.name === name ? current : enter(name, make);
  const n = scenario.iterationInTest;
  if (n >= segment.count || (segment.cutMs > 0 && Date.now() - scenario.startTime >= segment.cutMs)) {
    metadata.r = '';
    return;
  }
  const digits = `${n}`;
  let record = `${digits} 0 f`;
  try {
    const { script, headers } = segment;
    const request = script.request;
    script.turn(segment.offset + n);
    headers['Ce-Id'] = segment.idPrefix + digits;
    headers['Ce-Subject'] = request.subject;
    headers.Traceparent = segment.traceparent(digits);
    const response = post(request.url, request.body, segment.params);
    const status = response.status;
    record =
      status === ACCEPTED && request.expect === ACCEPTED
        ? digits + ACCEPTED_OK
        : judge(digits, response, request.expect);
  } finally {
    metadata.r = n === 0 ? `${record} @${scenario.startTime}` : record;
  }
}

function judge(digits: string, response: RefinedResponse<ResponseType | undefined>, expect: number): string {
  const status = response.status;
  let mark = 'o';
  if (status !== expect) mark = status === 0 && response.error_code === TIMED_OUT ? 't' : 'f';
  if (status !== 0 && response.headers['X-Lambda-Cold-Start'] === 'true') mark += 'c';
  return `${digits} ${status} ${mark}`;
}
