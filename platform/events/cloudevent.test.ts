import { CloudEvent, HTTP } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { routingKeyOf } from '../receiver/receiver.ts';
import { eventFromHttp, MalformedEvent } from './cloudevent.ts';
import { COMMAND } from './commands.ts';

const binary = {
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-source': '/test',
  'ce-type': 'demo.ping',
  'ce-subject': 'hello',
  'content-type': 'application/json',
};
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('eventFromHttp', () => {
  const event = new CloudEvent({
    id: 'a b',
    source: '/test',
    type: 'demo.ping',
    subject: 'hello',
    data: { n: 1 },
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  });
  it.each(['binary', 'structured'] as const)('reads what the SDK of CloudEvents sends in %s mode', (mode) => {
    const { headers, body } = HTTP[mode](event);
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    expect(eventFromHttp(lower, Buffer.from(String(body)))).toMatchObject({
      id: 'a b',
      source: '/test',
      type: 'demo.ping',
      subject: 'hello',
      data: { n: 1 },
      traceparent: event.traceparent,
    });
  });
  it('keeps binary data as base64 and text as text', () => {
    const bytes = Buffer.from([0, 255, 1]);
    expect(eventFromHttp({ ...binary, 'content-type': 'image/png' }, bytes).data_base64).toBe(
      bytes.toString('base64'),
    );
    expect(eventFromHttp({ ...binary, 'content-type': 'text/plain' }, Buffer.from('hi')).data).toBe('hi');
  });
  it.each([
    ['no CloudEvent at all', {}, Buffer.from('{}'), /neither/],
    ['no id', { ...binary, 'ce-id': undefined }, Buffer.from('{}'), /id:/],
    ['another version', { ...binary, 'ce-specversion': '0.3' }, Buffer.from('{}'), /specversion/],
    ['a bad time', { ...binary, 'ce-time': 'yesterday' }, Buffer.from('{}'), /time/],
    ['an impossible time', { ...binary, 'ce-time': '2026-13-45T00:00:00Z' }, Buffer.from('{}'), /time/],
    ['broken JSON data', binary, Buffer.from('{'), /not JSON/],
    ['a batch', { 'content-type': 'application/cloudevents-batch+json' }, Buffer.from('[]'), /batch/],
    ['another format', { 'content-type': 'application/cloudevents+avro' }, Buffer.from('x'), /avro/],
    [
      'broken structured JSON',
      { 'content-type': 'application/cloudevents+json' },
      Buffer.from('{'),
      /not JSON/,
    ],
    [
      'an attribute in upper case',
      { 'content-type': 'application/cloudevents+json' },
      json({ specversion: '1.0', id: '1', source: '/t', type: 't', myExt: 'x' }),
      /myExt/,
    ],
  ])('refuses %s', (_, headers, body, reason) => {
    expect(() => eventFromHttp(headers, body)).toThrow(MalformedEvent);
    expect(() => eventFromHttp(headers, body)).toThrow(reason);
  });
});

describe('routingKeyOf', () => {
  const event = (type: string, data?: unknown, subject?: string) =>
    eventFromHttp(
      { ...binary, 'ce-type': type, 'ce-subject': subject },
      data === undefined ? Buffer.alloc(0) : json(data),
    );
  const source = { type: 'inline', code: 'export const handler = () => 1' };

  it('takes every command with data that fit it', () => {
    for (const type of [COMMAND.deploy, COMMAND.create, COMMAND.buildStart, COMMAND.buildRetry])
      expect(routingKeyOf(event(type, { name: 'f', source }))).toBe(type);
    expect(routingKeyOf(event(COMMAND.update, { name: 'f', scaling: { maxScale: 2 } }))).toBe(COMMAND.update);
    for (const type of [COMMAND.rollback, COMMAND.delete, COMMAND.buildCancel])
      expect(routingKeyOf(event(type, { name: 'f' }))).toBe(type);
    expect(routingKeyOf(event('demo.ping', { any: 1 }, 'f'))).toBe('io.knative.lambda.invocation');
  });
  it.each([
    [COMMAND.deploy, { name: 'f' }, /source/],
    [COMMAND.deploy, { name: 'F_', source }, /DNS label/],
    [COMMAND.deploy, { name: 'f', source, runtime: { language: 'cobol' } }, /language/],
    [COMMAND.deploy, { name: 'f', source, surprise: 1 }, /surprise/],
    [COMMAND.buildStart, { name: 'f', source: { type: 's3' } }, /key/],
    [COMMAND.delete, undefined, /data/],
    ['io.knative.lambda.command.function.explode', {}, /not a command/],
    ['demo.ping', {}, /subject/],
  ])('refuses %s %j', (type, data, reason) => {
    expect(() => routingKeyOf(event(type, data))).toThrow(reason);
  });
});
