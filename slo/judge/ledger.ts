/** The ledger: every event that the platform accepted is accounted for. */
import { checkId } from '../../evidence/check-ids.ts';
import { quote } from '../../evidence/duckdb.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Check, Evidence, LedgerCounts } from '../../evidence/verdict.ts';
import type { Context, Finding, Judgement } from './context.ts';
import type { FaultFacts } from './fault-facts.ts';
import { recordProblems } from './load.ts';
import { text } from './numbers.ts';
import { standalone } from './views.ts';

interface CountRow extends Omit<LedgerCounts, 'phase'> {
  phase: string | null;
  no_artifact: number;
  /** Builds that were said to be complete, and named no image. */
  nameless: number;
  /** Images that the platform reported, and that the registry was not asked for, or did not answer. */
  unverified: number;
  contradictions: number;
}

const COUNTS_SQL = `SELECT phase, count(*) FILTER (stream IS NOT NULL) AS attempted, count(*) FILTER (accepted) AS accepted,
  count(*) FILTER (accepted AND processed > 0) AS processed, count(*) FILTER (lost) AS lost, count(*) FILTER (duplicated) AS duplicated,
  count(*) FILTER (unexpected) AS unexpected, count(*) FILTER (recovered) AS recovered, count(*) FILTER (failed) AS failed,
  count(*) FILTER (NOT artifact_found) AS no_artifact, count(*) FILTER (accepted AND result = 'completed' AND artifact IS NULL) AS nameless,
  count(*) FILTER (artifact IS NOT NULL AND artifact_found IS NULL) AS unverified,
  count(*) FILTER (event_id IS NULL OR accepted IS NULL OR processed IS NULL OR processed < 0 OR (processed > 0) <> (first_processed_us IS NOT NULL)
    OR (stream IS NOT NULL AND (sent_us IS NULL OR phase IS NULL)) OR accepted <> coalesce(status BETWEEN 200 AND 299, false)) AS contradictions
FROM ledger GROUP BY phase ORDER BY phase`;

export async function checkLedger(c: Context): Promise<Finding> {
  const { plan } = c;
  const streams = plan.streams.filter((s) => s.ledger);
  if (streams.length === 0) return { checks: [] };
  const rows = c.need('ledger').then(() => c.db.rows<CountRow>(COUNTS_SQL));
  // Awaited by every check below; this keeps a failure from counting as unhandled until then.
  rows.catch(() => {});
  const evidence: Evidence[] = [{ file: FILES.ledger, query: standalone(COUNTS_SQL, 'ledger') }];
  const run = async () => total(await rows);
  const checks: Check[] = [];
  const add = async (id: string, title: string, judge: () => Promise<Judgement>) => {
    checks.push(await c.check({ id, group: 'ledger', title }, judge));
  };
  await add(checkId.ledger('complete'), 'Every event that was sent is in the ledger', () =>
    complete(
      c,
      streams.map((s) => s.name),
      rows,
    ),
  );
  await add(checkId.ledger('drain'), 'The platform was given the time to finish', async () => {
    const drain = (await c.entries('drain.ended')).at(-1);
    const source = [{ file: FILES.journal, query: 'drain.started, drain.ended' }];
    if (!drain)
      return {
        verdict: 'unknown',
        message: 'there was no drain: what is not processed may still have been under way',
        evidence: source,
      };
    if (!drain.timedOut && drain.outstanding > 0)
      return {
        verdict: 'unknown',
        message: `the drain ended with ${drain.outstanding} events outstanding and did not time out`,
        evidence: source,
      };
    return {
      verdict: 'pass',
      message: drain.timedOut
        ? `timed out with ${drain.outstanding} events outstanding: they count as lost`
        : 'nothing was outstanding',
      evidence: source,
    };
  });
  const { maxRefusedShare } = plan.ledger;
  if (maxRefusedShare !== undefined)
    await add(checkId.ledger('accepted'), 'What was sent was accepted', () =>
      accepted(c, maxRefusedShare, rows),
    );
  await add(checkId.ledger('lost'), 'No accepted event was lost', async () => {
    const { lost, accepted } = await run();
    const drain = (await c.entries('drain.ended')).at(-1);
    // Lost is what was not processed by the end of the drain, whatever came to light later.
    const worst = Math.max(lost, drain?.timedOut ? drain.outstanding : 0);
    return limited(worst, plan.ledger.maxLost, `of ${accepted} accepted events were lost`, evidence);
  });
  await add(checkId.ledger('failed'), 'Accepted events did not end in an error', async () => {
    const { failed, accepted } = await run();
    const excused = await excusedFailures(c);
    return limited(
      failed - excused,
      plan.ledger.maxFailed,
      `of ${accepted} accepted events ended in an error${excused > 0 ? `, beside ${excused} that had to` : ''}`,
      evidence,
    );
  });
  for (const name of plan.ledger.failsWith ?? [])
    await add(checkId.failsWith(name), `While ${name} lasted, nothing succeeded`, () =>
      failsWith(c, name, rows),
    );
  await add(checkId.ledger('duplicated'), 'No event was processed twice', async () =>
    limited(
      (await run()).duplicated,
      plan.ledger.maxDuplicated,
      'events were processed more than once',
      evidence,
    ),
  );
  await add(checkId.ledger('unexpected'), 'Nothing was processed that nobody sent', async () => {
    const judged = limited(
      (await run()).unexpected,
      plan.ledger.maxUnexpected,
      'events were processed that nobody sent',
      evidence,
    );
    const doubts = judged.verdict === 'fail' ? await recordProblems(c) : [];
    if (doubts.length === 0) return judged;
    return {
      ...judged,
      verdict: 'unknown',
      message: `${judged.message}; but the clients' records are not whole: ${doubts.join('; ')}`,
    };
  });
  await add(checkId.ledger('artifacts'), 'What was reported as built is there', async () => {
    const { no_artifact, nameless, unverified } = await run();
    if (no_artifact + nameless === 0 && unverified > 0) {
      return {
        verdict: 'unknown',
        message: `the registry was not heard on ${unverified} images that the platform reported`,
        evidence,
      };
    }
    return limited(
      no_artifact + nameless,
      0,
      'images of builds that are said to be complete are not named, or not in the registry',
      evidence,
    );
  });

  const counted = await rows.catch(() => []);
  const ledger =
    counted.length === 0
      ? []
      : [
          ...plan.phases.map((p) =>
            counts(
              p.name,
              counted.filter((r) => r.phase === p.name),
            ),
          ),
          counts('run', counted),
        ];
  return { checks, ledger };
}

/** Those that were sent while a fault lasted of which all must fail. */
async function excusedFailures(c: Context): Promise<number> {
  const spans = (await faultsToFailWith(c)).map(({ injectingMs, effectGoneMs }) =>
    injectingMs === null
      ? 'false'
      : `sent_us BETWEEN ${micro(injectingMs)} AND ${effectGoneMs === null ? 'sent_us' : micro(effectGoneMs)}`,
  );
  if (spans.length === 0) return 0;
  const { n } = await c.db.row<{ n: number }>(
    `SELECT count(*) FILTER (failed AND (${spans.join(' OR ')})) AS n FROM ledger`,
  );
  return n;
}

/** What succeeds without what it needs was not done, whatever the platform says of it. */
async function failsWith(c: Context, name: string, rows: Promise<CountRow[]>): Promise<Judgement> {
  await rows;
  const fault = (await faultsToFailWith(c)).find((f) => f.planned.name === name);
  if (!fault?.proven || fault.effectSeenMs === null || fault.revertingMs === null)
    return { verdict: 'unknown', message: `${name} is not proven to have bitten`, evidence: [] };
  const [from, to] = [micro(fault.effectSeenMs), micro(fault.revertingMs)];
  const sql = `SELECT count(*) FILTER (failed) AS failed, count(*) FILTER (processed > 0 AND NOT failed) AS succeeded
FROM ledger WHERE accepted AND sent_us >= ${from} AND first_processed_us <= ${to}`;
  const { failed, succeeded } = await c.db.row<{ failed: number; succeeded: number }>(sql);
  const evidence = [{ file: FILES.ledger, query: standalone(sql, 'ledger'), samples: failed + succeeded }];
  if (succeeded > 0)
    return {
      verdict: 'fail',
      message: `${succeeded} events succeeded without what they need, ${failed} failed`,
      evidence,
    };
  if (failed === 0)
    return {
      verdict: 'unknown',
      message: 'nothing that was sent in that time was processed in it',
      evidence,
    };
  return {
    verdict: 'pass',
    message: `all ${failed} events that were processed in that time failed`,
    evidence,
  };
}

/** All other checks are over what was accepted: a platform that takes little, and does that well, must not pass by them. */
async function accepted(c: Context, mostShare: number, rows: Promise<CountRow[]>): Promise<Judgement> {
  await rows;
  const excused = (await refusalSpans(c)).map(
    ([from, to]) => `(sent_us <= ${micro(to)} AND coalesce(answered_us, sent_us) >= ${micro(from)})`,
  );
  // Stream by stream: few of one kind must not be lost among many of another.
  const sql = `SELECT stream, count(*) AS sent, count(*) FILTER (NOT accepted) AS refused FROM ledger
WHERE stream IS NOT NULL${excused.length > 0 ? ` AND (accepted OR NOT (${excused.join(' OR ')}))` : ''} GROUP BY stream ORDER BY refused / sent DESC, stream`;
  const counted = await c.db.rows<{ stream: string; sent: number; refused: number }>(sql);
  const most = (sent: number) => Math.floor(mostShare * sent);
  const [worst] = [...counted.filter(({ sent, refused }) => refused > most(sent)), ...counted];
  const evidence = [{ file: FILES.ledger, query: standalone(sql, 'ledger') }];
  if (!worst) return { verdict: 'unknown', message: 'nothing was sent outside of the faults', evidence };
  const { stream, sent, refused } = worst;
  return limited(
    refused,
    most(sent),
    `of ${sent} events of ${stream} were not accepted${excused.length > 0 ? `, beside those while ${c.plan.ledger.refusedWhile?.join(' and ')} lasted` : ''}`,
    evidence,
  );
}

/** From the injection of a fault that cuts the way in until the platform must have recovered from it, ms. */
async function refusalSpans(c: Context): Promise<[from: number, to: number][]> {
  const { ledger, recovery, slackMs } = c.plan;
  if (ledger.refusedWhile === undefined) return [];
  const [facts, endMs] = await Promise.all([c.faults(), c.endMs()]);
  return ledger.refusedWhile.flatMap((name) => {
    const fault = facts.find((f) => f.planned.name === name);
    if (fault?.injectingMs == null) return [];
    const rtoMs = recovery.filter((r) => r.fault === name && r.from === 'revert').map((r) => r.rtoMs);
    const over = fault.effectGoneMs ?? fault.revertedMs;
    return [[fault.injectingMs, over === null ? endMs : over + Math.max(0, ...rtoMs) + slackMs]];
  });
}

const micro = (ms: number) => Math.round(ms * 1000);

async function faultsToFailWith(c: Context): Promise<FaultFacts[]> {
  const names = c.plan.ledger.failsWith ?? [];
  return names.length === 0 ? [] : (await c.faults()).filter((f) => names.includes(f.planned.name));
}

function limited(found: number, most: number, what: string, evidence: Evidence[]): Judgement {
  return {
    verdict: found > most ? 'fail' : 'pass',
    message: `${text(found)} ${what}, at most ${text(most)} may be`,
    evidence,
  };
}

/** Both tables tell of the same events: equal counts, and equal sums of hashes, of what was sent and of what was accepted. */
async function complete(c: Context, streams: string[], rows: Promise<CountRow[]>): Promise<Judgement> {
  const ledger = total(await rows);
  await c.need('requests');
  const list = streams.map(quote).join(', ');
  const sums = (accepted: string) =>
    `count(*) AS sent, count(*) FILTER (${accepted}) AS accepted, coalesce(sum(hash(event_id)), 0)::VARCHAR AS sent_hash, coalesce(sum(hash(event_id)) FILTER (${accepted}), 0)::VARCHAR AS accepted_hash`;
  const requestsSql = `SELECT ${sums('status BETWEEN 200 AND 299')} FROM requests WHERE NOT unsent AND stream IN (${list})`;
  const ledgerSql = `SELECT ${sums('accepted')} FROM ledger WHERE stream IS NOT NULL`;
  const evidence = [
    { file: FILES.requests, query: standalone(requestsSql, 'requests') },
    { file: FILES.ledger, query: standalone(ledgerSql, 'ledger') },
  ];
  type Sums = { sent: number; accepted: number; sent_hash: string; accepted_hash: string };
  const a = await c.db.row<Sums>(requestsSql);
  const b = await c.db.row<Sums>(ledgerSql);
  const refused = await c.db.rows<{ stream: string }>(
    `SELECT stream FROM requests WHERE NOT unsent AND stream IN (${list}) GROUP BY stream HAVING count(*) FILTER (status BETWEEN 200 AND 299) = 0 ORDER BY stream`,
  );
  const problems: string[] = [];
  // That none of nothing was lost says nothing.
  if (refused.length > 0)
    problems.push(`no event of ${refused.map(({ stream }) => stream).join(', ')} was accepted`);
  if (ledger.contradictions > 0) problems.push(`${ledger.contradictions} rows contradict themselves`);
  if (a.sent === 0) problems.push('no event was sent');
  if (a.sent !== b.sent) problems.push(`it has ${b.sent} events: clients sent ${a.sent}`);
  else if (a.sent_hash !== b.sent_hash) problems.push('its events are not those that clients sent');
  if (a.accepted !== b.accepted)
    problems.push(`it has ${b.accepted} accepted events: clients were told of ${a.accepted}`);
  else if (a.accepted_hash !== b.accepted_hash)
    problems.push('its accepted events are not those that clients were told of');
  if (problems.length > 0)
    return {
      verdict: 'unknown',
      message: `the ledger is not to be trusted: ${problems.join('; ')}`,
      evidence,
    };
  return {
    verdict: 'pass',
    message: `${b.sent} events sent, ${b.accepted} accepted, all in the ledger`,
    evidence,
  };
}

function total(rows: CountRow[]): CountRow {
  const sum = (key: Exclude<keyof CountRow, 'phase'>) => rows.reduce((s, r) => s + r[key], 0);
  return {
    phase: null,
    attempted: sum('attempted'),
    accepted: sum('accepted'),
    processed: sum('processed'),
    lost: sum('lost'),
    duplicated: sum('duplicated'),
    unexpected: sum('unexpected'),
    recovered: sum('recovered'),
    failed: sum('failed'),
    no_artifact: sum('no_artifact'),
    nameless: sum('nameless'),
    unverified: sum('unverified'),
    contradictions: sum('contradictions'),
  };
}

function counts(phase: string, rows: CountRow[]): LedgerCounts {
  const { no_artifact: _a, nameless: _n, unverified: _u, contradictions: _c, ...rest } = total(rows);
  return { ...rest, phase };
}
