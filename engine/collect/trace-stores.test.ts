import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { spansOf } from './trace-stores.ts';

/** Answers of Jaeger 1.76.0 to `/api/traces/<id>`, for two builds of the reference platform: one that was accepted, one that was not. */
const recorded = JSON.parse(
  readFileSync(new URL('./recorded/jaeger-1.76.0.json', import.meta.url), 'utf8'),
) as Record<'ok' | 'failed', object>;

describe('what a Jaeger answers', () => {
  it('is a span for each hop, with its parent and its service', () => {
    expect(spansOf(JSON.stringify(recorded.ok))).toEqual([
      {
        ...{
          service: 'knative-lambda-receiver',
          name: 'accept',
          id: 'cd5bf513ab2caafc',
          parent: '0001000000000007',
        },
        ...{ startUs: 1795781535559000, durationUs: 12363, error: false },
      },
      {
        ...{
          service: 'knative-lambda-builder',
          name: 'build',
          id: '6dd8a8fd0051c065',
          parent: 'cd5bf513ab2caafc',
        },
        ...{ startUs: 1795781535566000, durationUs: 212833, error: false },
      },
    ]);
  });

  it('says which of them failed', () => {
    expect(spansOf(JSON.stringify(recorded.failed))).toMatchObject([{ durationUs: 2003145, error: true }]);
  });
});

/** Tempo's answers, as its API's documentation and OTLP's JSON have them; none could be run where this project is made. */
describe('what a Tempo answers', () => {
  const resourceSpans = [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'receiver' } }] },
      scopeSpans: [
        {
          spans: [
            {
              ...{ traceId: 'QsbnUVh2AAAAAQAAAAAABw==', spanId: 'zVv1E6ssqvw=', name: 'accept' },
              ...{ startTimeUnixNano: '1795781529758000000', endTimeUnixNano: '1795781529770386000' },
              status: { code: 'STATUS_CODE_ERROR' },
            },
          ],
        },
      ],
    },
  ];
  it.each([
    ['version 1', { batches: resourceSpans }],
    ['version 2', { trace: { resourceSpans } }],
    ['OTLP', { resourceSpans }],
  ])('%s', (_version, answer) => {
    expect(spansOf(JSON.stringify(answer))).toEqual([
      {
        ...{ service: 'receiver', name: 'accept', id: 'zVv1E6ssqvw=', parent: null, error: true },
        ...{ startUs: 1795781529758000, durationUs: 12386 },
      },
    ]);
  });
});

it.each(['', '<html>', '{}', '[]', 'null', '{"data":[{"spans":[{}]}]}'])(
  '%s is no answer of either',
  (text) => {
    expect(() => spansOf(text)).toThrow(/neither Jaeger nor Tempo answers so/);
  },
);
