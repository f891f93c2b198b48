/**
 * Recovery time of one service after one fault.
 *
 * Windows of `windowMs` follow each other from the instant at which the fault was reverted. A window is good when it has rows and
 * the good ones reach the target. The service has recovered when `windows` good windows follow each other; the first such row of
 * windows counts, unless as many bad ones in a row come later. Of a contract that counts from the injection, for what must recover while the fault is there, the windows
 * follow each other from the injection to the revert, and the good ones must last until then. That alone would be as coarse as a window, so the instant is refined in two steps:
 *  1. Where the good state begins: in the first good window and the one before it, the split of the rows (in the order of
 *     their clock) that leaves the fewest good rows before and bad rows after it; of several, the latest.
 *  2. When it was seen: the first good answer among the rows from the split on. A request that was held until the platform came
 *     back was intended before, but its answer is what shows that the platform is back.
 *
 * `requests`: the clock is the intended start, the answer is `done_us`. `ledger`: the clock is `sent_us`, the answer is
 * `first_processed_us`, and a row is good only if it is also timely, processed within one window plus the longest time that an
 * event took before the fault: work that waits out a fault in a queue is not lost, but the service is back only when processing
 * resumes and new work is no longer held up.
 */
import { checkId } from '../../evidence/check-ids.ts';
import type { RecoveryContract } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Check, RecoveryResult } from '../../evidence/verdict.ts';
import type { Context, Finding, Judgement } from './context.ts';
import type { FaultFacts } from './fault-facts.ts';
import { generatorProblems } from './load.ts';
import { rounded, seconds } from './numbers.ts';
import { standalone } from './views.ts';

interface Measured {
  tookMs: number | null;
  fromInjectMs: number | null;
  censoredAtMs: number | null;
}

interface WindowRow {
  k: number;
  n: number;
  good: number;
}

const NOTHING: Measured = { tookMs: null, fromInjectMs: null, censoredAtMs: null };

export async function checkRecovery(c: Context): Promise<Finding> {
  const checks: Check[] = [];
  const recovery: RecoveryResult[] = [];
  for (const contract of c.plan.recovery) {
    let measured = NOTHING;
    const id = checkId.recovery(contract.name);
    const limitMs = contract.rtoMs + c.plan.slackMs;
    const check = await c.check(
      {
        id,
        group: 'recovery',
        title: `${contract.name}: recovered within ${seconds(contract.rtoMs)} of the ${contract.from} of ${contract.fault}`,
      },
      async () => {
        const fault = (await c.faults()).find((f) => f.planned.name === contract.fault);
        if (!fault) return unknown(`the plan has no fault ${contract.fault}`);
        // An act may take its time, a node's drain a minute: what broke meanwhile counts.
        const fromMs = contract.from === 'revert' ? fault.revertedMs : fault.injectingMs;
        if (fromMs === null)
          return unknown(
            `there was no ${contract.from} of ${contract.fault}, so there is nothing to measure from`,
          );
        // What failed half-way is undone at once, and the load of the phases around was shaped for a fault that is there.
        if (fault.injectedMs === null)
          return unknown(`${contract.fault} was not injected, so there is nothing to recover from`);
        const { judgement, times } = await judge(c, contract, fault, fromMs, limitMs);
        measured = times;
        if (judgement.verdict === 'pass' && !fault.proven)
          return {
            ...judgement,
            verdict: 'unknown',
            message: `${judgement.message}, but ${contract.fault} is not proven to have bitten`,
          };
        return judgement;
      },
    );
    checks.push(check);
    recovery.push({
      checkId: id,
      name: contract.name,
      fault: contract.fault,
      verdict: check.verdict,
      from: contract.from,
      tookMs: rounded(measured.tookMs),
      fromInjectMs: rounded(measured.fromInjectMs),
      censoredAtMs: rounded(measured.censoredAtMs),
      rtoMs: contract.rtoMs,
    });
  }
  return { checks, recovery };
}

const unknown = (message: string): Judgement => ({ verdict: 'unknown', message, evidence: [] });

interface Asked {
  r: RecoveryContract;
  table: 'requests' | 'ledger';
  fault: FaultFacts;
  fromMs: number;
  limitMs: number;
}

interface Judged {
  judgement: Judgement;
  times: Measured;
}

/**
 * A generator that died makes bad windows of its own: whether the platform failed must not depend on what was not sent. Where the generator
 * was well, what was not sent had no client that was free, since the platform kept them all waiting.
 */
async function judge(
  c: Context,
  r: RecoveryContract,
  fault: FaultFacts,
  fromMs: number,
  limitMs: number,
): Promise<Judged> {
  const { table } = r.total;
  if (table === 'scaling')
    return { judgement: unknown('recovery can not be measured from scaling'), times: NOTHING };
  await c.need(table);
  const asked = { r, table, fault, fromMs, limitMs };
  const all = await rowsSql(c, r, fault, Math.round(fromMs * 1000));
  const judged = await judgeRows(c, asked, all);
  if (judged.judgement.verdict !== 'fail') return judged;
  const { unsent, last } = await c.db.row<{ unsent: number; last: number | null }>(
    `SELECT count(*) FILTER (unsent) AS unsent, max(clock) FILTER (NOT unsent) AS last FROM (${all})`,
  );
  if (unsent === 0 || (await generatorProblems(c, r.total.where)).length === 0) return judged;
  const sent = `SELECT * FROM (${all}) WHERE NOT unsent`;
  const without = await judgeRows(c, asked, sent, (last ?? fromMs * 1000) / 1000);
  if (without.judgement.verdict === 'fail') return judged;
  const message = `${judged.judgement.message}; without the ${unsent} requests that were not sent: ${without.judgement.message}: the answer depends on them`;
  return { ...judged, judgement: { ...judged.judgement, verdict: 'unknown', message } };
}

/** @param rowsEndMs of the last of them, when they may end before the run does: windows from there on prove nothing */
async function judgeRows(
  c: Context,
  { r, table, fault, fromMs, limitMs }: Asked,
  rows: string,
  rowsEndMs = Number.POSITIVE_INFINITY,
): Promise<Judged> {
  const fromUs = Math.round(fromMs * 1000);
  const windowUs = Math.round(r.windowMs * 1000);
  const windowsSql = `SELECT (clock - ${fromUs}) // ${windowUs} AS k, count(*) AS n, count(*) FILTER (good) AS good FROM (${rows}) GROUP BY k ORDER BY k`;
  const windows = await c.db.rows<WindowRow>(windowsSql);
  // What recovers with the revert says nothing of a recovery that is to come without it.
  const endMs = r.from === 'injection' ? fault.revertingMs : null;
  const lastMs = Math.min(endMs ?? c.window('run')?.endMs ?? 0, rowsEndMs);
  const lastK = Math.floor((lastMs * 1000 - fromUs) / windowUs) - 1;
  const good = new Set(windows.filter((w) => w.k <= lastK && w.good / w.n >= r.target).map((w) => w.k));
  const first = (r.from === 'injection' ? lastStreak : firstStreak)(good, lastK, r.windows);
  const count = windows.reduce((sum, w) => sum + w.n, 0);
  const evidence = [
    {
      file: FILES[table],
      query: standalone(windowsSql, table),
      window: { fromMs: rounded(fromMs) ?? 0, toMs: rounded(fromMs + (lastK + 1) * r.windowMs) ?? 0 },
      samples: count,
    },
  ];
  const say = (verdict: Judgement['verdict'], message: string, times: Measured) => ({
    judgement: { verdict, message, evidence },
    times,
  });

  if (count === 0) return say('unknown', `no row after the ${r.from} to measure it by`, NOTHING);
  if (first === null) {
    // A streak that the evidence cuts short may be the recovery: what is known is how long it had not begun.
    let k = lastK + 1;
    while (good.has(k - 1)) k--;
    const lastRowMs =
      (await c.db.row<{ t: number }>(`SELECT max(clock) AS t FROM (${rows})`)).t / 1000 - fromMs;
    const censoredAtMs = Math.max(0, Math.min(k * r.windowMs, lastRowMs));
    const message = `it had not recovered ${seconds(censoredAtMs)} after the ${r.from}`;
    if (censoredAtMs > limitMs)
      return say('fail', `${message}: later than ${seconds(limitMs)}`, { ...NOTHING, censoredAtMs });
    return say(
      'unknown',
      `${message}, when ${endMs === null ? 'the evidence ended' : 'the revert came'}: too early for ${seconds(limitMs)}`,
      {
        ...NOTHING,
        censoredAtMs,
      },
    );
  }
  const at = await refine(
    c,
    rows,
    fromUs + Math.max(0, first - 1) * windowUs,
    fromUs + (first + 1) * windowUs,
  );
  const tookMs = Math.max(0, at / 1000 - fromMs);
  const times = {
    tookMs,
    fromInjectMs: fault.injectingMs === null ? null : at / 1000 - fault.injectingMs,
    censoredAtMs: null,
  };
  // Of a contract that counts from the injection, the streak is the last one by its own rule.
  const relapse = r.from === 'revert' ? relapseAfter(windows, first + r.windows, lastK, r) : null;
  if (relapse !== null)
    return say(
      'fail',
      `recovered ${seconds(tookMs)} after the ${r.from}, and it did not last: ${r.windows} bad windows in a row from ${seconds(relapse * r.windowMs)} after it`,
      times,
    );
  const ending = r.from === 'revert' ? badEnd(windows, first + r.windows, r) : null;
  if (ending !== null && tookMs <= limitMs)
    return say(
      'unknown',
      `recovered ${seconds(tookMs)} after the ${r.from}, and was bad again from ${seconds(ending * r.windowMs)} after it to the end: whether that lasts is not known`,
      times,
    );
  if (tookMs > limitMs)
    return say(
      'fail',
      `recovered ${seconds(tookMs)} after the ${r.from}: later than ${seconds(limitMs)}`,
      times,
    );
  return say('pass', `recovered ${seconds(tookMs)} after the ${r.from}, at most ${seconds(limitMs)}`, times);
}

/** Rows from that instant on, as (clock, good, seen, id, unsent): integers of microseconds, and booleans that are never NULL. */
async function rowsSql(c: Context, r: RecoveryContract, fault: FaultFacts, fromUs: number): Promise<string> {
  const good = `coalesce((${r.good}), false)`;
  if (r.total.table === 'requests') {
    return `SELECT intended_us AS clock, ${good} AND NOT unsent AND done_us IS NOT NULL AS good, done_us AS seen, event_id AS id, unsent FROM requests WHERE coalesce((${r.total.where}), unsent) AND intended_us >= ${fromUs}`;
  }
  const before = Math.round((fault.injectingMs ?? 0) * 1000);
  const { longest } = await c.db.row<{ longest: number | null }>(
    `SELECT max(first_processed_us - sent_us) AS longest FROM ledger WHERE (${r.total.where}) AND first_processed_us < ${before}`,
  );
  const timely = (longest ?? 0) + Math.round(r.windowMs * 1000);
  return `SELECT sent_us AS clock, ${good} AND coalesce(first_processed_us - sent_us <= ${timely}, false) AS good, first_processed_us AS seen, event_id AS id, false AS unsent FROM ledger WHERE (${r.total.where}) AND sent_us >= ${fromUs}`;
}

function firstStreak(good: ReadonlySet<number>, lastK: number, length: number): number | null {
  let run = 0;
  for (let k = 0; k <= lastK; k++) {
    run = good.has(k) ? run + 1 : 0;
    if (run === length) return k - length + 1;
  }
  return null;
}

/**
 * As many bad windows in a row as good ones make a recovery; windows without a row say nothing. @returns the first of them
 * @param fromK where the good streak ends
 */
function relapseAfter(
  windows: WindowRow[],
  fromK: number,
  lastK: number,
  { target, windows: length }: RecoveryContract,
): number | null {
  let run: number[] = [];
  for (const { k, n, good } of windows) {
    if (k < fromK || k > lastK) continue;
    run = good / n >= target ? [] : [...run, k];
    if (run.length === length) return run[0] ?? null;
  }
  return null;
}

/**
 * A run of bad windows that the end cuts short: with the last one, which may be only a part, at least half of what would be a relapse.
 * @returns the first of them
 */
function badEnd(
  windows: WindowRow[],
  fromK: number,
  { target, windows: length }: RecoveryContract,
): number | null {
  const after = windows.filter(({ k }) => k >= fromK);
  const lastGood = after.findLastIndex(({ n, good }) => good / n >= target);
  const bad = after.slice(lastGood + 1);
  return bad.length >= Math.max(2, Math.ceil(length / 2)) ? (bad[0]?.k ?? null) : null;
}

/** The good windows up to the last one, when they are enough. */
function lastStreak(good: ReadonlySet<number>, lastK: number, length: number): number | null {
  let k = lastK + 1;
  while (good.has(k - 1)) k--;
  return lastK + 1 - k >= length ? k : null;
}

/** The instant at which the good state of the rows in [fromUs, toUs) was first seen, microseconds. */
async function refine(c: Context, rows: string, fromUs: number, toUs: number): Promise<number> {
  // Good rows before a split plus bad rows from it on, less a constant: good rows before it minus bad rows before it.
  const { at } = await c.db.row<{ at: number }>(`
    WITH own AS (SELECT * FROM (${rows}) WHERE clock >= ${fromUs} AND clock < ${toUs}),
    placed AS MATERIALIZED (SELECT good, seen, row_number() OVER w AS i, sum(CASE WHEN good THEN 1 ELSE -1 END) OVER w - CASE WHEN good THEN 1 ELSE -1 END AS wrong
      FROM own WINDOW w AS (ORDER BY clock, id ROWS UNBOUNDED PRECEDING)),
    split AS (SELECT max(i) AS i FROM placed WHERE good AND wrong = (SELECT min(wrong) FROM placed WHERE good))
    SELECT min(seen) AS at FROM placed, split WHERE placed.i >= split.i AND good`);
  return at;
}
