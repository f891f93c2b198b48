/**
 * Sends spans to a collector, when there is one: OTLP over HTTP, as JSON, in batches. What can not be sent is dropped: no span is worth
 * a request of a client. Source: https://opentelemetry.io/docs/specs/otlp/ ("JSON Protobuf Encoding").
 */

export interface Span {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits. */
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  /** Unix time. */
  startMs: number;
  endMs: number;
  /** Why it failed; absent: it did not. */
  error: string | undefined;
}

const EVERY_MS = 500;
/** More than this wait for a collector that does not answer: the oldest go. */
const MOST_WAITING = 5000;
const WITHIN_MS = 2000;
/** Source: opentelemetry/proto/trace/v1/trace.proto. */
const KIND_SERVER = 2;
const STATUS_ERROR = 2;

let waiting: Span[] = [];
let collect = false;

export function sendSpan(span: Span): void {
  if (!collect) return;
  waiting.push(span);
  if (waiting.length > MOST_WAITING) waiting = waiting.slice(-MOST_WAITING / 2);
}

/** @param endpoint base URL of the collector: OTEL_EXPORTER_OTLP_ENDPOINT @returns which sends what waits, and ends */
export function startSpans(endpoint: string, service: string): () => Promise<void> {
  collect = true;
  const send = async () => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    await fetch(`${endpoint}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(requestOf(batch, service)),
      signal: AbortSignal.timeout(WITHIN_MS),
    }).then(
      (response) => response.arrayBuffer(),
      () => {},
    );
  };
  const timer = setInterval(send, EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    return send();
  };
}

function requestOf(batch: Span[], service: string): object {
  const nanoseconds = (ms: number) => `${BigInt(Math.round(ms * 1000)) * 1000n}`;
  const spans = batch.map(({ startMs, endMs, error, ...span }) => ({
    ...span,
    kind: KIND_SERVER,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    ...(error === undefined ? {} : { status: { code: STATUS_ERROR, message: error } }),
  }));
  const attributes = [{ key: 'service.name', value: { stringValue: `knative-lambda-${service}` } }];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] };
}
