/**
 * Asks a trace store for one trace. Jaeger's query service and Tempo have the same path for it, `/api/traces/<id>`, and answer in forms of
 * their own. Sources: https://www.jaegertracing.io/docs/1.76/apis/ ("HTTP JSON"; model/json in its code), https://grafana.com/docs/tempo/latest/api_docs/ ("Query").
 */
import { z } from 'zod';
import { NoAnswerError } from '../../base/errors.ts';
import type { TraceSpan } from '../../evidence/traces.ts';
import type { HttpStore } from './sources.ts';

/** Times in microseconds of Unix time. */
export type StoredSpan = Omit<TraceSpan, 'startMs' | 'durationMs'> & { startUs: number; durationUs: number };

const WITHIN_MS = 5000;

/** What is read of Jaeger's answer; it has more. */
const Jaeger = z.object({
  data: z.array(
    z.object({
      spans: z.array(
        z.object({
          spanID: z.string(),
          operationName: z.string(),
          references: z.array(z.object({ refType: z.string(), spanID: z.string() })).default([]),
          startTime: z.number(),
          duration: z.number(),
          tags: z.array(z.object({ key: z.string(), value: z.unknown() })).default([]),
          processID: z.string(),
        }),
      ),
      processes: z.record(z.string(), z.object({ serviceName: z.string() })),
    }),
  ),
});

const Nanoseconds = z.union([z.string().regex(/^\d+$/), z.number()]).transform((text) => BigInt(text));
const ResourceSpans = z.object({
  resource: z
    .object({
      attributes: z
        .array(z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) }))
        .default([]),
    })
    .optional(),
  scopeSpans: z.array(
    z.object({
      spans: z.array(
        z.object({
          spanId: z.string(),
          parentSpanId: z.string().optional(),
          name: z.string(),
          startTimeUnixNano: Nanoseconds,
          endTimeUnixNano: Nanoseconds,
          status: z.object({ code: z.union([z.string(), z.number()]).optional() }).optional(),
        }),
      ),
    }),
  ),
});
/** OTLP; Tempo calls the list `batches`. */
const Tempo = z.union([
  z.object({ batches: z.array(ResourceSpans) }).transform(({ batches }) => batches),
  z.object({ resourceSpans: z.array(ResourceSpans) }).transform(({ resourceSpans }) => resourceSpans),
  z
    .object({ trace: z.object({ resourceSpans: z.array(ResourceSpans) }) })
    .transform(({ trace }) => trace.resourceSpans),
]);

/**
 * @param traceId 32 hex digits
 * @returns its spans in the order of their start; none: the store does not have it (yet)
 * @throws NoAnswerError when the store gives no answer, or is too busy; Error when the answer is neither Jaeger's nor Tempo's
 */
export async function findTrace(store: HttpStore, traceId: string): Promise<StoredSpan[]> {
  const path = `/api/traces/${traceId}`;
  const { status, text } = await store
    .get(path, WITHIN_MS)
    .then(async (response) => ({ status: response.status, text: await response.text() }))
    .catch((cause: Error) => {
      throw new NoAnswerError(`${store.url}${path}: no answer: ${cause.message}`, { cause });
    });
  if (status === 404) return [];
  const said = `${store.url}${path} answered ${status}: ${text.slice(0, 200)}`;
  if (status >= 500 || status === 429) throw new NoAnswerError(said);
  if (status < 200 || status > 299) throw new Error(said);
  return spansOf(text).sort((a, b) => a.startUs - b.startUs);
}

/** @throws Error when it is neither store's answer */
export function spansOf(text: string): StoredSpan[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`neither Jaeger nor Tempo answers so: ${text.slice(0, 100)}`);
  }
  const jaeger = Jaeger.safeParse(value);
  if (jaeger.success) return jaeger.data.data.flatMap(fromJaeger);
  const tempo = Tempo.safeParse(value);
  if (tempo.success) return tempo.data.flatMap(fromOtlp);
  throw new Error(`neither Jaeger nor Tempo answers so: ${text.slice(0, 100)}`);
}

function fromJaeger({ spans, processes }: z.output<typeof Jaeger>['data'][number]): StoredSpan[] {
  return spans.map((span) => ({
    service: processes[span.processID]?.serviceName ?? '?',
    name: span.operationName,
    id: span.spanID,
    parent: span.references.find(({ refType }) => refType === 'CHILD_OF')?.spanID ?? null,
    startUs: span.startTime,
    durationUs: span.duration,
    error: span.tags.some(({ key, value }) => key === 'error' && (value === true || value === 'true')),
  }));
}

function fromOtlp({ resource, scopeSpans }: z.output<typeof ResourceSpans>): StoredSpan[] {
  const service = resource?.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '?';
  return scopeSpans
    .flatMap(({ spans }) => spans)
    .map((span) => ({
      service,
      name: span.name,
      id: span.spanId,
      parent: span.parentSpanId || null,
      startUs: Number(span.startTimeUnixNano / 1000n),
      durationUs: Number((span.endTimeUnixNano - span.startTimeUnixNano) / 1000n),
      error: span.status?.code === 2 || span.status?.code === 'STATUS_CODE_ERROR',
    }));
}
