/**
 * Names of one request, derived so that nothing but four small values has to be stored for it.
 *
 * CloudEvent id: `<run id>.<stream>.<segment>.<n>`; n counts the requests that were really started in that segment.
 * Trace id (W3C, 32 hex digits): 16 digits from the run id (two FNV-1a hashes of 32 bits, the second over the run id
 * with `#` appended), 4 digits stream index + 1, 4 digits segment, 8 digits n. Span id (16 hex digits): the trace id's last 16.
 * So `traceId(run id, stream index, segment, n)` of any row of requests.parquet can be computed again later.
 *
 * Pure TypeScript without node: k6 runs this file too.
 */

export function eventId(runId: string, stream: string, segment: number, n: number): string {
  return `${runId}.${stream}.${segment}.${n}`;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** The part of a trace id that all requests of one segment share: 24 hex digits, never all zero. */
export function tracePrefix(runId: string, streamIndex: number, segment: number): string {
  return hex(fnv1a(runId), 8) + hex(fnv1a(`${runId}#`), 8) + hex(streamIndex + 1, 4) + hex(segment, 4);
}

/** `traceparent` header (W3C Trace Context, version 00, sampled) of request n under a prefix from {@link tracePrefix}. */
export function traceparent(prefix: string, n: number): string {
  const tail = hex(n, 8);
  return `00-${prefix}${tail}-${prefix.slice(16)}${tail}-01`;
}

/** Trace id of request n of a segment. */
export function traceId(runId: string, streamIndex: number, segment: number, n: number): string {
  return tracePrefix(runId, streamIndex, segment) + hex(n, 8);
}
