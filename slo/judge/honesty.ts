/** `telemetry-honest`: does the platform count what its clients saw? */
import { quote } from '../../evidence/duckdb.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
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
          id: `telemetry/${claim.name}`,
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
  const clientSql = `SELECT (${claim.client})::DOUBLE AS client`;
  const counterSql = `SELECT labels, t_us, value FROM series WHERE kind = 'raw' AND query = ${quote(claim.counter)} ORDER BY labels, t_us`;
  const { client } = await c.db.row<{ client: number | null }>(clientSql);
  const samples = await c.db.rows<{ labels: string; t_us: number; value: number }>(counterSql);
  const evidence = [
    {
      file: [...new Set(views.map((v) => (v === 'scaling' ? FILES.series : FILES[v])))].join(', '),
      query: standalone(clientSql, ...views),
    },
    { file: FILES.series, query: standalone(counterSql, 'series'), samples: samples.length },
  ];
  if (client === null || !Number.isFinite(client))
    return { verdict: 'unknown', message: "the clients' evidence gives no number", evidence };
  if (samples.length === 0)
    return { verdict: 'unknown', message: `there is no sample of ${claim.counter}`, evidence };
  const { sum: counted, unseen } = increaseOf(samples);
  if (!Number.isFinite(counted))
    return { verdict: 'unknown', message: `${claim.counter} has samples that are not numbers`, evidence };
  const agreed = Math.max(claim.tolerance * Math.abs(client), claim.toleranceAbs);
  // What died uncounted can only be missing from the platform's side.
  const tolerance = counted < client ? agreed + unseen : agreed;
  const difference = Math.abs(client - counted);
  const died = tolerance > agreed ? `, ${text(unseen)} of it uncounted by processes that ended` : '';
  const message = `clients saw ${text(client)}, ${claim.counter} counted ${text(counted)}: ${text(difference)} apart, at most ${text(tolerance)} may be${died}`;
  if (difference <= tolerance) return { verdict: 'pass', message, evidence };
  const doubts = await recordProblems(c);
  if (doubts.length === 0) return { verdict: 'fail', message, evidence };
  return {
    verdict: 'unknown',
    message: `${message}; but the clients' records are not whole: ${doubts.join('; ')}`,
    evidence,
  };
}

/**
 * Increase of a counter over all of its label sets. A sample below the one before it is a reset (the process was started anew):
 * it counts from 0. A series whose first sample is after the run's origin counts from 0 too; one that was there before, from its
 * last sample at or before the origin.
 *
 * `unseen`: a process that dies takes with it what it counted since its last scrape. For each reset that is at most about what the
 * series rose by between any two samples until then; Prometheus' own `increase()` leaves it out in the same way.
 * @param samples in the order of labels and time
 */
export function increaseOf(samples: readonly { labels: string; t_us: number; value: number }[]): {
  sum: number;
  unseen: number;
} {
  let sum = 0;
  let unseen = 0;
  let steepest = 0;
  samples.forEach((s, i) => {
    const before = samples[i - 1];
    if (!before || before.labels !== s.labels) {
      steepest = 0;
      if (s.t_us > 0) sum += s.value;
    } else if (s.value < before.value) {
      if (s.t_us <= 0) return;
      sum += s.value;
      unseen += steepest;
    } else {
      steepest = Math.max(steepest, s.value - before.value);
      if (s.t_us > 0) sum += s.value - before.value;
    }
  });
  return { sum, unseen };
}
