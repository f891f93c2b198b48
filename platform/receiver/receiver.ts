/** The receiver: CloudEvents in over HTTP, onto the broker; 202 only when the broker has the event. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, Histogram } from 'prom-client';
import { BrokerLink, BrokerUnavailable } from '../amqp/link.ts';
import { EXCHANGE, INVOCATION_KEY } from '../amqp/topology.ts';
import type { Start } from '../common/component.ts';
import { readBody, sendJson } from '../common/http.ts';
import { messageOf } from '../common/log.ts';
import { commonMetrics, WAIT_BUCKETS } from '../common/metrics.ts';
import { TokenBucket } from '../common/token-bucket.ts';
import { continueTrace } from '../common/trace.ts';
import { type Event, eventFromHttp, MalformedEvent } from '../events/cloudevent.ts';
import { COMMAND_DATA, FunctionName, isCommandType } from '../events/commands.ts';

const CODES = ['202', '400', '429', '503'];

/** The routing key of a valid event. Throws MalformedEvent when its type, subject or data are not what the platform takes. */
export function routingKeyOf(event: Event): string {
  if (!isCommandType(event.type)) {
    const subject = FunctionName.safeParse(event.subject);
    if (subject.success) return INVOCATION_KEY;
    throw new MalformedEvent(
      `subject: ${event.type} is no command, so the subject must name a function (a DNS label)`,
    );
  }
  const schema = COMMAND_DATA.get(event.type);
  if (!schema) throw new MalformedEvent(`type: ${event.type} is not a command that is known`);
  const data = schema.safeParse(event.data);
  if (data.success) return event.type;
  throw new MalformedEvent(
    data.error.issues.map((issue) => `${['data', ...issue.path].join('.')}: ${issue.message}`).join('; '),
  );
}

export const start: Start<'receiver'> = async (config, log) => {
  const link = new BrokerLink('receiver', config, log);
  const { registry, errors } = commonMetrics('receiver', () => link.open, [
    'malformed',
    'broker_unavailable',
    'rate_limited',
  ]);
  const registers = [registry];
  const requests = new Counter({
    name: 'knative_lambda_receiver_requests_total',
    help: 'Requests answered, by HTTP status code',
    labelNames: ['code'],
    registers,
  });
  for (const code of CODES) requests.inc({ code }, 0);
  const received = new Counter({
    name: 'cloudevents_received_total',
    help: 'Valid CloudEvents that came in, whatever the answer was; every type that is no command counts as invocation',
    labelNames: ['type'],
    registers,
  });
  for (const type of [...COMMAND_DATA.keys(), 'invocation']) received.inc({ type }, 0);
  const parsed = new Counter({
    name: 'knative_lambda_operator_parser_events_total',
    help: 'Requests parsed as CloudEvents',
    labelNames: ['status'],
    registers,
  });
  for (const status of ['success', 'error']) parsed.inc({ status }, 0);
  const processing = new Histogram({
    name: 'cloudevents_processing_duration_seconds',
    help: 'From the request to its answer, valid events only',
    buckets: WAIT_BUCKETS,
    registers,
  });
  const bucket = new TokenBucket(config.RATE_LIMIT, config.RATE_BURST);
  const careless = config.DEFECTS.has('receiver-accepts-without-confirm');

  const answer = (res: ServerResponse, code: number, body: unknown, headers?: Record<string, string>) => {
    requests.inc({ code: String(code) });
    sendJson(res, code, body, headers);
  };

  async function take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const begun = performance.now();
    if (!bucket.take()) {
      req.resume();
      errors.inc({ component: 'receiver', error_type: 'rate_limited' });
      const seconds = Math.max(1, Math.ceil(bucket.waitMs() / 1000));
      answer(res, 429, { error: 'rate limited' }, { 'retry-after': String(seconds) });
      return;
    }
    const body = await readBody(req);
    let event: Event;
    let key: string;
    try {
      event = eventFromHttp(req.headers, body);
      key = routingKeyOf(event);
      parsed.inc({ status: 'success' });
    } catch (error) {
      if (!(error instanceof MalformedEvent)) throw error;
      parsed.inc({ status: 'error' });
      errors.inc({ component: 'receiver', error_type: 'malformed' });
      log.info('event refused', { reason: error.message });
      answer(res, 400, { error: 'malformed', reason: error.message });
      return;
    }
    const trace = continueTrace(req.headers.traceparent ?? event.traceparent, 'accept');
    const known = { trace_id: trace.traceId, event_id: event.id, type: event.type };
    received.inc({ type: isCommandType(event.type) ? event.type : 'invocation' });
    const published = link.publish(EXCHANGE.commands, key, event, {
      messageId: event.id,
      type: event.type,
      headers: { traceparent: trace.traceparent },
    });
    try {
      if (careless) published.catch(() => {});
      else await published;
      answer(res, 202, { status: 'accepted', id: event.id });
      trace.end();
      log.debug('event accepted', known);
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error;
      errors.inc({ component: 'receiver', error_type: 'broker_unavailable' });
      log.warn('event not accepted', { ...known, reason: error.message });
      answer(res, 503, { error: 'unavailable', reason: messageOf(error) }, { 'retry-after': '1' });
      trace.end(error.message);
    } finally {
      processing.observe((performance.now() - begun) / 1000);
    }
  }

  link.start();
  return {
    registry,
    ready: () => link.open,
    async route(req, res, path) {
      if (path !== '/' && path !== '/events') return false;
      if (req.method === 'POST') await take(req, res);
      else sendJson(res, 405, { error: 'method not allowed' }, { allow: 'POST' });
      return true;
    },
    stop: () => link.stop(),
  };
};
