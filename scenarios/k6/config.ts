/**
 * What the harness tells the k6 scripts: written by engine/load/k6-files.ts as JSON, read in k6's init context from
 * the file that env `FAULTLINE_LOAD` names. Types only, so that both sides can import it.
 */

/** One k6 scenario: one segment of one stream. */
export interface SegmentConfig {
  stream: string;
  streamIndex: number;
  segment: number;
  /** Requests that the segment intends; the script never starts more. */
  count: number;
  /** Position in the stream's schedule of the segment's first request. */
  offset: number;
  /** Length of the segment, ms; nothing is started later than this. k6 itself does not run anything shorter than 1 s. */
  lengthMs: number;
  timeoutMs: number;
  params: Record<string, string | number | boolean>;
}

export interface LoadConfig {
  runId: string;
  seed: number;
  /** k6 scenario name (`<stream>__<segment>`) -> what it sends. */
  segments: Record<string, SegmentConfig>;
}
