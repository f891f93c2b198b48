/**
 * The logs of a run from Loki, by LogQL. Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/ ("Query logs within a range of time").
 * What the Kubernetes API, or the processes themselves, had is in the bundle besides.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { z } from 'zod';
import type { HttpStore } from './sources.ts';

const WITHIN_MS = 15_000;
/** Loki's own limit of an answer, `max_entries_limit_per_query`, in its default. */
const PAGE = 5000;
/** More than this is no log that somebody reads: the rest is left to Loki, and it is said. */
const MOST = 500_000;

const Answer = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('streams', 'expected a LogQL query of lines, not of numbers'),
    result: z.array(
      z.object({
        stream: z.record(z.string(), z.string()),
        // Nanoseconds of Unix time, and the line; newer versions add structured metadata.
        values: z.array(z.tuple([z.string().regex(/^\d+$/), z.string()]).rest(z.unknown())),
      }),
    ),
  }),
});

export interface LokiRequest {
  store: HttpStore;
  /** LogQL. */
  query: string;
  /** Unix time. */
  fromMs: number;
  toMs: number;
  /** Of the run; lines get milliseconds since then. */
  originMs: number;
  outFile: string;
  pageSize?: number;
}

/**
 * Writes a line of JSON for each line of log, in the order of time: `t`, `labels`, `line`.
 * @returns how many, and whether that was all @throws Error when Loki gives no answer, or refuses the query
 */
export async function collectLoki(request: LokiRequest): Promise<{ lines: number; whole: boolean }> {
  const { fromMs, toMs, originMs, outFile, pageSize = PAGE } = request;
  const out = createWriteStream(outFile);
  let from = BigInt(Math.floor(fromMs)) * 1_000_000n;
  const to = BigInt(Math.ceil(toMs)) * 1_000_000n;
  let lines = 0;
  /** Lines of the newest instant, which the next page begins with again: an instant may be cut by the end of a page. */
  let known = new Set<string>();
  let whole = true;
  try {
    for (;;) {
      const page = await ask(request, from, to, pageSize);
      const fresh = page.filter(({ ns, key }) => ns > from || !known.has(key));
      for (const { ns, labels, line } of fresh)
        out.write(`${JSON.stringify({ t: Number(ns / 1000n) / 1000 - originMs, labels, line })}\n`);
      lines += fresh.length;
      const newest = page.at(-1)?.ns;
      if (page.length < pageSize || newest === undefined) break;
      // A page that is one instant: whatever else is in it can not be asked for.
      if (fresh.length === 0 || lines >= MOST) {
        whole = false;
        break;
      }
      known = new Set(page.filter(({ ns }) => ns === newest).map(({ key }) => key));
      from = newest;
    }
  } finally {
    out.end();
    await once(out, 'close');
  }
  return { lines, whole };
}

async function ask({ store, query }: LokiRequest, from: bigint, to: bigint, limit: number) {
  const params = { query, start: `${from}`, end: `${to}`, limit: `${limit}`, direction: 'forward' };
  const response = await store.get('/loki/api/v1/query_range', WITHIN_MS, params);
  const text = await response.text();
  if (!response.ok) throw new Error(`Loki answered ${response.status}: ${text.slice(0, 300).trim()}`);
  const parsed = Answer.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`this is not how Loki answers: ${parsed.error.issues[0]?.message}`);
  return parsed.data.data.result
    .flatMap(({ stream, values }) =>
      values.map(([ns, line]) => ({
        ns: BigInt(ns),
        labels: stream,
        line,
        key: JSON.stringify([ns, line, stream]),
      })),
    )
    .sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0));
}
