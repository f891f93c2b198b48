/**
 * `traces.ndjson`: one line a trace of a request that failed or was among the slowest of its stream and phase, as a Jaeger or Tempo had it
 * after the run. Only there when the run was told whom to ask (`--traces`). Nothing is judged by it: it says where the time went.
 */
import { z } from 'zod';

export const TraceSpan = z.strictObject({
  service: z.string(),
  name: z.string(),
  /** As the store writes them; a parent that is not in the trace is what the caller sent. */
  id: z.string(),
  parent: z.string().nullable(),
  /** Milliseconds since the run's origin, by the clock of who made the span. */
  startMs: z.number(),
  durationMs: z.number(),
  error: z.boolean(),
});
export type TraceSpan = z.infer<typeof TraceSpan>;

export const RequestTrace = z.strictObject({
  /** 32 hex digits (base/event-id.ts). */
  traceId: z.string(),
  eventId: z.string(),
  stream: z.string(),
  phase: z.string(),
  why: z.enum(['failed', 'slowest']),
  /** From the intended start to the answer, as the client saw it. */
  clientMs: z.number(),
  /** In the order of their start; empty: the store has no such trace. */
  spans: z.array(TraceSpan),
});
export type RequestTrace = z.infer<typeof RequestTrace>;
