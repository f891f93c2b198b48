/** W3C trace context: https://www.w3.org/TR/trace-context/ (version 00). */
import { randomBytes } from 'node:crypto';
import { sendSpan } from './spans.ts';

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

export interface Trace {
  /** 32 hex digits. */
  traceId: string;
  /** The header to send on: same trace, this hop's own span id. */
  traceparent: string;
  /** This hop's work is over: its span is sent to where spans are collected, if they are. @param error why it failed */
  end(error?: string): void;
}

/**
 * The trace that a caller's `traceparent` names, one hop further; a new, sampled trace when there is none that is valid.
 * @param hop name of what begins now
 */
export function continueTrace(header: unknown, hop: string): Trace {
  const match = typeof header === 'string' ? TRACEPARENT.exec(header.trim()) : null;
  const traceId = match?.[1] ?? randomBytes(16).toString('hex');
  const flags = match?.[3] ?? '01';
  const spanId = randomBytes(8).toString('hex');
  const startMs = Date.now();
  const began = performance.now();
  return {
    traceId,
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    end(error) {
      const endMs = startMs + (performance.now() - began);
      sendSpan({ traceId, spanId, parentSpanId: match?.[2], name: hop, startMs, endMs, error });
    },
  };
}
