/** W3C trace context: https://www.w3.org/TR/trace-context/ (version 00). */
import { randomBytes } from 'node:crypto';

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

export interface Trace {
  /** 32 hex digits. */
  traceId: string;
  /** The header to send on: same trace, this hop's own span id. */
  traceparent: string;
}

/** The trace that a caller's `traceparent` names, one hop further; a new, sampled trace when there is none that is valid. */
export function continueTrace(header: unknown): Trace {
  const match = typeof header === 'string' ? TRACEPARENT.exec(header.trim()) : null;
  const traceId = match?.[1] ?? randomBytes(16).toString('hex');
  const flags = match?.[3] ?? '01';
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-${flags}` };
}
