/**
 * CloudEvents v1.0: reading them from HTTP and AMQP strictly, and making the platform's own. The reading is not the
 * SDK's: that makes up an id and a time where the sender gave none, and a made-up id could never be accounted for.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';

const BINARY_HEADER = /^ce-[a-z0-9]+$/;
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** The context attributes, strictly; extensions are scalars with names of [a-z0-9]. */
export const EventEnvelope = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string().min(1).max(512),
    source: z
      .string()
      .min(1)
      .refine((text) => !/\s/.test(text), 'expected a URI reference'),
    type: z.string().min(1).max(255),
    subject: z.string().min(1).optional(),
    time: z
      .string()
      .regex(RFC3339, 'expected an RFC 3339 time')
      .refine((text) => !Number.isNaN(Date.parse(text)), 'no such time')
      .optional(),
    datacontenttype: z.string().min(1).optional(),
    dataschema: z.string().min(1).optional(),
    data: z.unknown().optional(),
    data_base64: z.string().optional(),
  })
  .catchall(z.union([z.string(), z.number().int(), z.boolean()]))
  .superRefine((event, context) => {
    for (const name of Object.keys(event))
      if (name !== 'data_base64' && !/^[a-z0-9]+$/.test(name))
        context.addIssue({ code: 'custom', message: 'attribute names are of [a-z0-9]', path: [name] });
  });
/** An event as it goes over the wire; what is not named here is an extension attribute. */
export interface Event {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  subject?: string | undefined;
  time?: string | undefined;
  datacontenttype?: string | undefined;
  data?: unknown;
  data_base64?: string | undefined;
  [attribute: string]: unknown;
}

/** The request or message is no valid CloudEvent; `reason` says every problem. */
export class MalformedEvent extends Error {}

function check(value: unknown): Event {
  const result = EventEnvelope.safeParse(value);
  if (result.success) return result.data;
  throw new MalformedEvent(
    result.error.issues.map((issue) => `${issue.path.join('.') || 'event'}: ${issue.message}`).join('; '),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedEvent(`body is not JSON: ${(error as Error).message}`);
  }
}

const isJson = (contentType: string) => /^(application|text)\/([^;]+\+)?json\b/i.test(contentType);

/** Reads an event from an HTTP request, in structured or binary content mode. Throws MalformedEvent. */
export function eventFromHttp(headers: IncomingHttpHeaders, body: Buffer): Event {
  const contentType = headers['content-type'] ?? '';
  if (/^application\/cloudevents-batch/i.test(contentType))
    throw new MalformedEvent('batched content mode is not supported: send one event a request');
  if (/^application\/cloudevents(?!\+json\b)/i.test(contentType))
    throw new MalformedEvent(
      `event format ${contentType} is not supported: use application/cloudevents+json`,
    );
  if (/^application\/cloudevents\+json\b/i.test(contentType)) return check(parseJson(body.toString('utf8')));
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith('ce-')) {
      if (!BINARY_HEADER.test(name)) throw new MalformedEvent(`${name}: attribute names are of [a-z0-9]`);
      attributes[name.slice(3)] = typeof value === 'string' ? safeDecode(name, value) : value;
    }
  if (Object.keys(attributes).length === 0)
    throw new MalformedEvent('neither ce-* headers (binary mode) nor application/cloudevents+json');
  if (contentType !== '') attributes.datacontenttype = contentType;
  check(attributes);
  if (body.length === 0) return check(attributes);
  if (contentType === '' || isJson(contentType))
    return check({ ...attributes, data: parseJson(body.toString('utf8')) });
  if (/^text\//i.test(contentType)) return check({ ...attributes, data: body.toString('utf8') });
  return check({ ...attributes, data_base64: body.toString('base64') });
}

/** Header values of the binary mode are percent-encoded (HTTP binding, 3.1.3.2). */
function safeDecode(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new MalformedEvent(`${name}: not percent-encoded UTF-8`);
  }
}

/** Reads an event from a message's body (structured mode). Throws MalformedEvent. */
export function eventFromMessage(body: Buffer): Event {
  return check(parseJson(body.toString('utf8')));
}

/** The `source` of what the platform says about one function. */
export const sourceOf = (namespace: string, name: string) =>
  `io.knative.lambda/operator/${namespace}/${name}`;

export const EVENT = {
  buildStarted: 'io.knative.lambda.lifecycle.build.started',
  buildCompleted: 'io.knative.lambda.lifecycle.build.completed',
  buildFailed: 'io.knative.lambda.lifecycle.build.failed',
  serviceCreated: 'io.knative.lambda.lifecycle.service.created',
  serviceDeleted: 'io.knative.lambda.lifecycle.service.deleted',
  responseSuccess: 'io.knative.lambda.response.success',
  responseError: 'io.knative.lambda.response.error',
} as const;

/**
 * An event of the platform. `cause` is the id of the command or event that it answers; `id` is fixed by the caller
 * where the same fact may be told twice, so that a consumer can tell a repetition from a second fact.
 */
export function platformEvent(fact: {
  type: string;
  namespace: string;
  name: string;
  cause: string;
  traceparent: string;
  data: Record<string, unknown>;
  id?: string;
}): Event {
  return {
    specversion: '1.0',
    id: fact.id ?? randomUUID(),
    source: sourceOf(fact.namespace, fact.name),
    type: fact.type,
    subject: fact.name,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    correlationid: fact.cause,
    traceparent: fact.traceparent,
    data: { eventId: fact.cause, ...fact.data },
  };
}
