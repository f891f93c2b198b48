/** Did the harness itself do its work, and is the bundle whole? */
import type { JournalEntry } from '../../evidence/journal.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Check } from '../../evidence/verdict.ts';
import type { Context, Finding, Judgement } from './context.ts';

const journalEvidence = (query: string) => [{ file: FILES.journal, query }];

export async function checkHarness(c: Context): Promise<Finding> {
  const checks: Check[] = [
    await c.check(
      { id: 'harness/outcome', group: 'harness', title: 'The harness carried out the whole run' },
      async () => outcome(await c.journal()),
    ),
    await c.check({ id: 'harness/bundle', group: 'harness', title: 'The bundle is whole' }, () =>
      wholeBundle(c),
    ),
    await c.check({ id: 'harness/audit', group: 'harness', title: 'The run left nothing behind' }, async () =>
      audit(await c.journal()),
    ),
  ];
  const stolen = c.bundle.has('journal') ? await c.entries('host.sample').catch(() => []) : [];
  if (stolen.length > 0) checks.push(hostCheck(stolen.map((e) => e.stolen)));
  const missing = c.bundle.has('journal') ? await c.entries('evidence.missing').catch(() => []) : [];
  missing.forEach(({ what, reason }, i) => {
    // Informational: whichever check needs it is unknown by itself.
    checks.push({
      id: `harness/missing/${i}`,
      group: 'harness',
      title: `Missing: ${what}`,
      verdict: 'unknown',
      message: `${what} is missing: ${reason}`,
      informational: true,
      evidence: journalEvidence('evidence.missing'),
    });
  });
  return { checks };
}

/** Beyond this, times are the machine's as much as the platform's. */
const STOLEN = 0.1;

/** Informational: it changes no verdict, but who reads a `fail` by times shall know. */
function hostCheck(shares: number[]): Check {
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const said = `others on the same hardware took ${percent(mean)} of this machine's processor time, ${percent(Math.max(...shares))} at worst`;
  return {
    id: 'harness/host',
    group: 'harness',
    title: 'The machine had its processors to itself',
    verdict: mean > STOLEN ? 'unknown' : 'pass',
    message: mean > STOLEN ? `${said}: repeat the run before you blame the platform for its times` : said,
    informational: true,
    evidence: [
      { file: FILES.journal, query: 'mean and maximum of stolen in host.sample', samples: shares.length },
    ],
  };
}

function outcome(journal: JournalEntry[]): Judgement {
  const evidence = journalEvidence('run.started, run.ended, abort');
  const ends = journal.flatMap((e) => (e.type === 'run.ended' ? [e] : []));
  const end = ends.at(-1);
  if (!end)
    return { verdict: 'error', message: 'the journal has no run.ended: the harness was killed', evidence };
  const reason = end.reason ? `: ${end.reason}` : '';
  if (end.outcome === 'crashed')
    return { verdict: 'error', message: `the harness crashed${reason}`, evidence };
  if (end.outcome === 'interrupted')
    return { verdict: 'unknown', message: `the run was interrupted${reason}`, evidence };
  if (end.outcome === 'aborted') {
    const verdict = end.blame === 'platform' ? 'fail' : end.blame === 'harness' ? 'error' : 'unknown';
    return { verdict, message: `the run was aborted (${end.blame ?? 'nobody'} to blame)${reason}`, evidence };
  }
  const starts = journal.filter((e) => e.type === 'run.started');
  if (starts.length !== 1 || ends.length !== 1)
    return {
      verdict: 'unknown',
      message: `the journal has ${starts.length} run.started and ${ends.length} run.ended: expected one of each`,
      evidence,
    };
  return { verdict: 'pass', message: 'the whole timeline ran', evidence };
}

async function wholeBundle(c: Context): Promise<Judgement> {
  const problems: string[] = [];
  const attempt = async (read: () => Promise<unknown>) =>
    read().catch((error: Error) => problems.push(c.explain(error)));
  await attempt(async () => {
    const journal = await c.journalLines();
    if (journal.torn) problems.push(`${FILES.journal}: the last line is cut off`);
    if (journal.gap !== null) problems.push(journal.gap);
    phasesHappened(c, journal.entries, problems);
  });
  const { plan } = c;
  if (plan.rules.length + plan.alerts.length > 0) {
    await attempt(async () => {
      if ((await c.alertLines()).torn) problems.push(`${FILES.alerts}: the last line is cut off`);
    });
  }
  if (plan.streams.length > 0) await attempt(() => c.need('requests'));
  if (plan.streams.some((s) => s.ledger)) await attempt(() => c.need('ledger'));
  if (plan.rules.length + plan.honesty.length > 0) await attempt(() => c.need('series'));
  if (problems.length === 0) await attempt(() => manifest(c, problems));
  const evidence = journalEvidence('all entries');
  return problems.length > 0
    ? { verdict: 'unknown', message: problems.join('; '), evidence }
    : { verdict: 'pass', message: 'every file that the plan needs is there and valid', evidence };
}

/** A run that says that it was completed went through all of its phases. */
function phasesHappened(c: Context, journal: JournalEntry[], problems: string[]): void {
  if (!journal.some((e) => e.type === 'run.ended' && e.outcome === 'completed')) return;
  for (const { name } of c.plan.phases) {
    for (const type of ['phase.started', 'phase.ended'] as const) {
      if (!journal.some((e) => e.type === type && e.phase === name))
        problems.push(`${FILES.journal} has no ${type} of ${name}`);
    }
  }
}

/** `observed` series `rows`, labels {"file":...}: how many rows or lines the writer put there. Compared when the bundle has it. */
async function manifest(c: Context, problems: string[]): Promise<void> {
  if (!c.bundle.has('series')) return;
  await c.need('series');
  const written = await c.db.rows<{ file: string; value: number }>(
    `SELECT labels->>'$.file' AS file, value FROM series WHERE kind = 'observed' AND query = 'rows' ORDER BY ALL`,
  );
  for (const { file, value } of written) {
    const table = (['requests', 'ledger', 'series'] as const).find((t) => FILES[t] === file);
    if (!table && file !== FILES.alerts) continue;
    if (table) await c.need(table);
    const found = table
      ? (await c.db.row<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)).n
      : (await c.alertLines()).entries.length;
    if (found !== value) problems.push(`${file} has ${found} rows: ${value} were written`);
  }
}

function audit(journal: JournalEntry[]): Judgement {
  const evidence = journalEvidence('audit');
  const audits = journal.flatMap((e) => (e.type === 'audit' ? [e] : []));
  const last = audits.at(-1);
  if (!last) return { verdict: 'unknown', message: 'there was no final audit', evidence };
  if (!last.clean)
    return {
      verdict: 'error',
      message: `the run left something behind: ${last.leaks.join(', ') || 'not named'}`,
      evidence,
    };
  return { verdict: 'pass', message: 'the final audit was clean', evidence };
}
