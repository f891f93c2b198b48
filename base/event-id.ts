/**
 * Names of one request, derived so that nothing but four small values has to be stored for it.
 *
 * CloudEvent id: `<run id>.<stream>.<segment>.<n>`; n counts the requests that were really started in that segment.
 * Trace id (W3C, 32 digits): 12 hex digits from the run id (two FNV-1a hashes, 32 bits of the run id and the low 16 bits of
 * the run id with `#` appended), 4 hex digits segment, 4 hex digits stream index + 1, n in 12 decimal digits.
 * Span id: the trace id's last 16. So `traceId(run id, stream index, segment, n)` of a row can be computed again later.
 * Decimal digits are hex digits too, and k6's JavaScript makes them in half the time.
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
/** Zeros in front of a decimal number of that many digits, to make it twelve. */
const ZEROS = Array.from({ length: 13 }, (_, digits) => '0'.repeat(12 - digits));

/** The part of a trace id that all requests of one segment share: 20 hex digits, the last four never all zero. */
function tracePrefix(runId: string, streamIndex: number, segment: number): string {
  return (
    hex(fnv1a(runId), 8) + hex(fnv1a(`${runId}#`) & 0xffff, 4) + hex(segment, 4) + hex(streamIndex + 1, 4)
  );
}

/** Makes the `traceparent` headers (W3C Trace Context, version 00, sampled) of the requests of a segment; n in decimal digits. */
export function traceparents(runId: string, streamIndex: number, segment: number): (n: string) => string {
  const prefix = tracePrefix(runId, streamIndex, segment);
  const trace = `00-${prefix}`;
  const span = `-${prefix.slice(16)}`;
  return (n) => {
    const tail = ZEROS[n.length] + n;
    return `${trace}${tail}${span}${tail}-01`;
  };
}

/** Trace id of request n of a segment. */
export function traceId(runId: string, streamIndex: number, segment: number, n: number): string {
  return traceparents(runId, streamIndex, segment)(`${n}`).slice(3, 35);
}
