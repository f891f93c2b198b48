/** `telemetry-honest`: does the platform count what its clients saw? */
import { checkId } from '../../evidence/check-ids.ts';
import { quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES, PROCESS_START } from '../../evidence/tables.ts';
import type { Check } from '../../evidence/verdict.ts';
import type { Context, Finding, Judgement } from './context.ts';
import { recordProblems } from './load.ts';
import { text } from './numbers.ts';
import { standalone } from './views.ts';

export async function checkHonesty(c: Context): Promise<Finding> {
  const checks: Check[] = [];
  for (const claim of c.plan.honesty) {
    checks.push(
      await c.check(
        {
          id: checkId.telemetry(claim.name),
          group: 'telemetry',
          title: `telemetry-honest: ${claim.counter} agrees with the clients`,
        },
        () => judge(c, claim),
      ),
    );
  }
  return { checks };
}

async function judge(c: Context, claim: Plan['honesty'][number]): Promise<Judgement> {
  const views = (['requests', 'ledger', 'series', 'scaling'] as const).filter((v) =>
    new RegExp(`\\b${v}\\b`).test(claim.client),
  );
  for (const view of views) await c.need(view);
  await c.needQuery(claim.counter);
  // Without it, a process that was started anew may pass for one that went on. Where the platform has none, it was asked for all the same.
  await c.needQuery(PROCESS_START);
  const clientSql = `SELECT sum(n)::DOUBLE AS client FROM (${claim.client})`;
  const livesSql = `SELECT labels->>'$.job' AS job, labels->>'$.instance' AS instance, t_us, any_value(value) AS start
    FROM series WHERE kind = 'raw' AND query = ${quote(PROCESS_START)} GROUP BY ALL`;
  const counterSql = `SELECT c.labels, c.t_us, c.value, coalesce(start, 0) AS life FROM series c LEFT JOIN (${livesSql}) l
    ON l.job = (c.labels->>'$.job') AND l.instance = (c.labels->>'$.instance') AND l.t_us = c.t_us
    WHERE c.kind = 'raw' AND c.query = ${quote(claim.counter)} ORDER BY c.labels, c.t_us`;
  const { client } = await c.db.row<{ client: number | null }>(clientSql);
  const samples = await c.db.rows<Sample>(counterSql);
  const evidence = [
    {
      file: [...new Set(views.map((v) => (v === 'scaling' ? FILES.series : FILES[v])))].join(', '),
      query: standalone(clientSql, ...views),
    },
    { file: FILES.series, query: standalone(counterSql, 'series'), samples: samples.length },
  ];
  const seen = client ?? 0;
  if (!Number.isFinite(seen))
    return { verdict: 'unknown', message: "the clients' evidence gives no number", evidence };
  if (samples.length === 0 && !(claim.absentBeforeFirst && (await anythingScraped(c))))
    return { verdict: 'unknown', message: `there is no sample of ${claim.counter}`, evidence };
  const counted = increaseOf(samples);
  if (!Number.isFinite(counted))
    return { verdict: 'unknown', message: `${claim.counter} has samples that are not numbers`, evidence };
  const died = Math.min(Math.max(0, seen - counted), await uncounted(c, claim, samples));
  const silent = Math.min(Math.max(0, counted - seen), await unanswered(c, claim));
  const tolerance = Math.max(claim.tolerance * Math.abs(seen), claim.toleranceAbs);
  const difference = Math.abs(seen - counted - died + silent);
  const message = `clients saw ${text(seen)}, ${claim.counter} counted ${text(counted)}${died > 0 ? ` and ${text(died)} went with a process that ended before its scrape` : ''}${silent > 0 ? `, ${text(silent)} of which clients may not have had an answer to` : ''}: ${text(difference)} apart, at most ${text(tolerance)} may be`;
  if (difference <= tolerance) return { verdict: 'pass', message, evidence };
  const doubts = await recordProblems(c);
  if (doubts.length === 0) return { verdict: 'fail', message, evidence };
  return {
    verdict: 'unknown',
    message: `${message}; but the clients' records are not whole: ${doubts.join('; ')}`,
    evidence,
  };
}

/** A counter that is not there tells nothing where nothing was scraped at all. */
async function anythingScraped(c: Context): Promise<boolean> {
  const sql = `SELECT count(*) AS n FROM series WHERE kind = 'raw' AND query = ${quote(PROCESS_START)}`;
  return (await c.db.row<{ n: number }>(sql)).n > 0;
}

/**
 * A process that dies takes with it what it counted since its last scrape, and no `increase()` sees that. Between the samples
 * around a reset, what the clients saw and nobody counted is that: neither the platform's lie nor more than was there.
 */
async function uncounted(c: Context, claim: Plan['honesty'][number], samples: Sample[]): Promise<number> {
  let sum = 0;
  for (const { fromUs, toUs } of resetsOf(samples)) {
    const { n } = await c.db.row<{ n: number | null }>(
      `SELECT sum(n)::DOUBLE AS n FROM (${claim.client}) WHERE t_us > ${fromUs} AND t_us <= ${toUs}`,
    );
    sum += Math.max(0, (n ?? 0) - increaseOf(samples, fromUs, toUs));
  }
  return sum;
}

/** A platform that comes to a request whose client has given up counts it: the clients can not say as what. */
async function unanswered(c: Context, claim: Plan['honesty'][number]): Promise<number> {
  const about = /\baccepted\b/.test(claim.client)
    ? c.plan.streams.filter(({ ledger }) => ledger)
    : /\brequests\b/.test(claim.client)
      ? // The name begins with the kind of stream that it is about (targets/profile.ts).
        c.plan.streams.filter(({ script }) => claim.name.startsWith(script))
      : [];
  if (about.length === 0) return 0;
  await c.need('requests');
  const list = about.map(({ name }) => quote(name)).join(', ');
  const sql = `SELECT count(*) AS n FROM requests WHERE NOT unsent AND (done_us IS NULL OR status = 0) AND stream IN (${list})`;
  return (await c.db.row<{ n: number }>(sql)).n;
}

export interface Sample {
  labels: string;
  t_us: number;
  value: number;
  /** When the process that counted was started, seconds since the epoch; 0: it does not say. */
  life: number;
}

/** Its process was started anew: it says so, or it counts less than before. */
const isReset = (s: Sample, before: Sample): boolean =>
  before.labels === s.labels && (s.life !== before.life || s.value < before.value);

/** Spans between the samples around the resets after the run's origin, µs; those that overlap are one. */
export function resetsOf(samples: readonly Sample[]): { fromUs: number; toUs: number }[] {
  const spans = samples
    .flatMap((s, i) => {
      const before = samples[i - 1];
      return before && isReset(s, before) && s.t_us > 0
        ? [{ fromUs: Math.max(0, before.t_us), toUs: s.t_us }]
        : [];
    })
    .sort((a, b) => a.fromUs - b.fromUs);
  const merged: typeof spans = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && span.fromUs < last.toUs) last.toUs = Math.max(last.toUs, span.toUs);
    else merged.push(span);
  }
  return merged;
}

/**
 * Increase of a counter in (fromUs, toUs] over all of its label sets and the lives of its processes: behind one address there may be
 * two for a while, and a new one may have counted more than the old one when it is first scraped. A sample below the one before it
 * in the same life counts from 0. A series whose first sample is after the span's begin counts from 0 too; one that was there
 * before, from its last sample at or before it.
 * @param samples in the order of labels and time
 */
export function increaseOf(
  samples: readonly Sample[],
  fromUs = 0,
  toUs: number = Number.POSITIVE_INFINITY,
): number {
  let sum = 0;
  const last = new Map<string, number>();
  for (const { labels, life, t_us, value } of samples) {
    const key = `${life} ${labels}`;
    const before = last.get(key) ?? 0;
    last.set(key, value);
    if (t_us > fromUs && t_us <= toUs) sum += value < before ? value : value - before;
  }
  return sum;
}
