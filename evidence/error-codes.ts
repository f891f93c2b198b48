/**
 * Why a request had no answer, in words. The column error_code of requests.parquet has k6's `response.error_code`; its source is
 * k6 1.8.1, lib/netext/httpext/error_codes.go; but a timeout of a request that had no connection yet, to k6 a 1050 as well, is a 1211
 * (scenarios/k6/request.ts). Of an answer of 400 and more k6 makes 1000 + its status; those are not in the column.
 */

/** [from, to, words], both ends included. The first that fits: what k6 tells apart stands before the family that it belongs to. */
const REASONS: readonly [number, number, string][] = [
  // k6 has no code for a connection that the other side closed in the middle (Go's EOF).
  [1000, 1000, 'closed without an answer, or an error that k6 has no code for'],
  [1020, 1020, 'URL not valid'],
  [1050, 1050, 'timeout'],
  [1000, 1099, 'network error'],
  [1101, 1101, 'DNS: no such host'],
  [1110, 1111, 'host that k6 was told to block'],
  [1100, 1199, 'DNS: name not resolved'],
  [1201, 1201, 'connection broken while sending'],
  [1211, 1211, 'timeout while connecting'],
  [1212, 1212, 'connection refused'],
  // k6 has a code for "refused" only; most of the others say that there is no route.
  [1213, 1213, 'host or network unreachable, or another error while connecting'],
  [1210, 1219, 'error while connecting'],
  [1220, 1220, 'connection reset by the other side'],
  [1200, 1299, 'TCP error'],
  [1301, 1301, 'TLS: the other side does not speak it'],
  [1310, 1310, 'TLS: certificate of an unknown authority'],
  [1311, 1311, 'TLS: certificate of another host'],
  [1300, 1399, 'TLS error'],
  [1610, 1629, 'HTTP/2: GOAWAY from the other side'],
  [1630, 1649, 'HTTP/2: stream error'],
  [1650, 1669, 'HTTP/2: connection error'],
  [1600, 1699, 'HTTP/2 error'],
  [1701, 1701, 'answer that could not be decompressed'],
];

/**
 * @param code error_code of a request without an answer; null: there is none
 * @param ended there is a record of its end
 */
export function whyUnanswered(code: number | null, ended: boolean): string {
  if (code === null)
    return ended ? 'reason not recorded' : 'still under way when the load generator was stopped';
  return REASONS.find(([from, to]) => code >= from && code <= to)?.[2] ?? `error ${code} of k6`;
}
