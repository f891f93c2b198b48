/**
 * The one way in which a k6 script sends a request: it names the request, sends it at once, and leaves its record.
 *
 * Its number, its instants and its record are the work of a module built into k6: tools/k6/records.
 *
 * This runs once a request, in an interpreter: what is the same for a whole segment is made once (bench/k6.ts).
 */
import exec from 'k6/execution';
import http, { type RefinedResponse, type ResponseType } from 'k6/http';
import * as faultline from 'k6/x/faultline';
import { eventId, traceparents } from '../../base/event-id.ts';
import type { LoadConfig, SegmentConfig } from './config.ts';

const config = JSON.parse(open(__ENV.FAULTLINE_LOAD as string)) as LoadConfig;

// Statuses are judged here and not by k6: without this, k6 writes one more sample for every request.
// k6 documents null here; @types/k6 does not know it.
(http.setResponseCallback as unknown as (callback: null) => void)(null);

// Reading an import costs more than reading a constant, at every use.
const { post } = http;
const { begin, end } = faultline;

/** k6's code for a request that took longer than its timeout. https://grafana.com/docs/k6/latest/javascript-api/error-codes/ */
const TIMED_OUT = 1050;
/** k6's code for a connection that took too long to open. */
const TIMED_OUT_CONNECTING = 1211;

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
    /** Header Host, where it is not the URL's. */
    host?: string;
  };
  /** @param id the event's */
  turn(k: number, id: string): void;
}

/** What is answered to an event that was taken; the commonest of all answers. */
const ACCEPTED = 202;

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

function enter(name: string, make: (segment: SegmentConfig) => Script): Segment {
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
  const n = begin();
  if (n >= segment.count) return;
  if (segment.cutMs > 0 && Date.now() - exec.scenario.startTime >= segment.cutMs) return;
  const { script, headers } = segment;
  const request = script.request;
  let response: Response;
  try {
    const digits = `${n}`;
    const id = segment.idPrefix + digits;
    script.turn(segment.offset + n, id);
    headers['Ce-Id'] = id;
    headers['Ce-Subject'] = request.subject;
    if (request.host) headers.Host = request.host;
    headers.Traceparent = segment.traceparent(digits);
    response = post(request.url, request.body, segment.params);
  } finally {
    const status = response === undefined ? 0 : response.status;
    // Only the gateway starts functions.
    if (status === ACCEPTED && request.expect === ACCEPTED) end(status, 'ok', false);
    else if (status > 0) end(status, status === request.expect ? 'ok' : 'failed', isCold(response));
    else unanswered(response);
  }
}

type Response = RefinedResponse<ResponseType | undefined> | undefined;

/** @param response with k6's code for why (evidence/error-codes.ts has it in words); undefined: the script itself failed */
function unanswered(response: Response): void {
  const code = response?.error_code;
  if (code !== TIMED_OUT) end(0, 'failed', false, code);
  // When the request's time is over, k6 says the same of who did not answer and of who was not there. Of these it has no address.
  else end(0, 'timeout', false, response?.remote_ip ? code : TIMED_OUT_CONNECTING);
}

function isCold(response: Response): boolean {
  return response !== undefined && response.headers['X-Lambda-Cold-Start'] === 'true';
}
