/**
 * The one way in which a k6 script sends a request: it names the request, sends it at once, and leaves its record.
 *
 * The record is metadata of the VU (metadata makes no time series): `r` = `<n> <status> <o|f|t>[c]`, which k6 puts on the
 * `iteration_duration` sample; that sample's time and value give when the request started and ended. The first request of
 * a segment appends `@<start of the scenario, ms since the epoch>`. engine/load/import-sql.ts reads it.
 * The samples of the request itself carry the record of the VU's request before; nobody reads those.
 */
import exec from 'k6/execution';
import http, { type RefinedResponse } from 'k6/http';
import { eventId, tracePrefix, traceparent } from '../../base/event-id.ts';
import type { LoadConfig, SegmentConfig } from './config.ts';

const config = JSON.parse(open(__ENV.FAULTLINE_LOAD as string)) as LoadConfig;

// Statuses are judged here and not by k6: without this, k6 writes one more sample for every request.
// k6 documents null here; @types/k6 does not know it.
(http.setResponseCallback as unknown as (callback: null) => void)(null);

/** k6's code for a request that took longer than its timeout. https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
const TIMED_OUT = 1050;

/** k6 runs nothing shorter than this, ms. */
const SHORTEST_SCENARIO_MS = 1000;

interface Segment {
  config: SegmentConfig;
  /** Headers that are the same for all requests of the segment; ids are replaced for each request. */
  params: { headers: Record<string, string>; timeout: number };
  idPrefix: string;
  tracePrefix: string;
}

/** What a script makes of its segment and of the request's position k in the stream's schedule. */
export interface Request {
  url: string;
  type: string;
  subject: string;
  body: string;
  /** The status that this request asks for. */
  expect: number;
}

// One set per VU: k6 gives every VU a JavaScript runtime of its own.
const segments = new Map<string, Segment>();
let current: Segment | undefined;
let currentName = '';
let scenario: typeof exec.scenario | undefined;
let metadata: Record<string, string | number | boolean> = {};

function enter(name: string): Segment {
  let segment = segments.get(name);
  if (!segment) {
    const c = config.segments[name];
    if (!c) throw new Error(`no segment ${name} in ${__ENV.FAULTLINE_LOAD}`);
    segment = {
      config: c,
      params: {
        headers: { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-source': 'faultline' },
        timeout: c.timeoutMs,
      },
      idPrefix: eventId(config.runId, c.stream, c.segment, 0).slice(0, -1),
      tracePrefix: tracePrefix(config.runId, c.streamIndex, c.segment),
    };
    segments.set(name, segment);
  }
  current = segment;
  currentName = name;
  return segment;
}

/** Sends the next request of the scenario that this VU is in. `make` must depend on its arguments only. */
export function send(make: (segment: SegmentConfig, k: number) => Request): void {
  if (!scenario) {
    // Both objects read through to the VU's state at each access, so one of each is enough.
    scenario = exec.scenario;
    metadata = exec.vu.metrics.metadata as typeof metadata;
  }
  const name = scenario.name;
  const segment = current !== undefined && name === currentName ? current : enter(name);
  const c = segment.config;
  const n = scenario.iterationInTest;
  if (n >= c.count || (c.lengthMs < SHORTEST_SCENARIO_MS && Date.now() - scenario.startTime >= c.lengthMs)) {
    metadata.r = '';
    return;
  }
  const id = segment.idPrefix + n;
  const begun = n === 0 ? ` @${scenario.startTime}` : '';
  try {
    const request = make(c, c.offset + n);
    const headers = segment.params.headers;
    headers['ce-id'] = id;
    headers['ce-type'] = request.type;
    headers['ce-subject'] = request.subject;
    headers.traceparent = traceparent(segment.tracePrefix, n);
    const response: RefinedResponse<'none'> = http.post(request.url, request.body, segment.params);
    const status = response.status;
    let record = `${n} ${status} `;
    if (status === request.expect) record += 'o';
    else if (status === 0 && response.error_code === TIMED_OUT) record += 't';
    else record += 'f';
    if (status !== 202 && response.headers['X-Lambda-Cold-Start'] === 'true') record += 'c';
    metadata.r = record + begun;
  } catch (error) {
    metadata.r = `${n} 0 f${begun}`;
    throw error;
  }
}
