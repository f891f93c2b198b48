import { expect, test } from 'vitest';
import { eventId, traceId, traceparents } from './event-id.ts';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;

test('a traceparent is well-formed, never all zero, and its trace id can be derived again', () => {
  for (const [stream, segment, n] of [
    [0, 0, 0],
    [3, 12, 999_999_999_999],
    [65_000, 65_535, 1],
  ] as const) {
    const [, trace, span] = TRACEPARENT.exec(traceparents('run-1', stream, segment)(`${n}`)) ?? [];
    expect(trace).toBe(traceId('run-1', stream, segment, n));
    expect(trace).not.toMatch(/^0+$/);
    expect(span).not.toMatch(/^0+$/);
  }
});

test('ids differ between runs, streams, segments and requests', () => {
  const ids = new Set<string>();
  const events = new Set<string>();
  for (const run of ['a', 'b', 'ab'])
    for (let stream = 0; stream < 3; stream++)
      for (let segment = 0; segment < 3; segment++)
        for (let n = 0; n < 300; n++) {
          ids.add(traceId(run, stream, segment, n));
          events.add(eventId(run, `s${stream}`, segment, n));
        }
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(ids.size).toBe(3 * 3 * 3 * 300);
  expect(events.size).toBe(3 * 3 * 3 * 300);
});
