/** The three kinds of alert contract. A finding that rests on what was seen outweighs one that rests on what was not seen. */
import { undetectableRules } from '../../evidence/detectable.ts';
import type { AlertContract, Plan } from '../../evidence/plan.ts';
import type { Verdict } from '../../evidence/verdict.ts';
import { type AlertHistory, type Delivered, firingOf, hasLabels, instanceKey } from './alert-history.ts';
import type { FaultFacts } from './fault-facts.ts';
import { seconds } from './numbers.ts';

export interface Setting {
  plan: Plan;
  contract: AlertContract;
  /** All contracts, also those of other alerts. */
  contracts: AlertContract[];
  history: AlertHistory;
  /** The metrics that its rule reads, when Prometheus had none of them; else empty. */
  unscraped: string[];
  faults: FaultFacts[];
  endMs: number;
  /** The instants at which rules were evaluated, in their order. */
  beatsMs: number[];
}

export interface Timings {
  detectionMs: number | null;
  deliveryMs: number | null;
  clearMs: number | null;
}

export interface Findings {
  /** Wrong by what was seen: fail whatever else is unknown. */
  seen: string[];
  /** Evidence without which nothing can be concluded from what was not seen. */
  blocking: string[];
  /** Wrong by what was not seen, or not in time. */
  absent: string[];
  /** Not decidable for another reason. */
  open: string[];
  /** What was found, for a pass. */
  good: string[];
}

export const newFindings = (): Findings => ({ seen: [], blocking: [], absent: [], open: [], good: [] });

export function conclude(f: Findings): { verdict: Verdict; message: string } {
  const say = (verdict: Verdict, ...lists: string[][]) => ({ verdict, message: lists.flat().join('; ') });
  if (f.seen.length > 0) return say('fail', f.seen, f.absent);
  if (f.blocking.length > 0) return say('unknown', f.blocking, f.absent, f.open);
  if (f.absent.length > 0) return say('fail', f.absent, f.open);
  if (f.open.length > 0) return say('unknown', f.open);
  return say('pass', f.good);
}

const NO_TIMINGS: Timings = { detectionMs: null, deliveryMs: null, clearMs: null };

export function judgeMustNotFire(
  { plan, contract, history, unscraped, endMs }: Setting,
  f: Findings,
  unplanned: boolean,
): void {
  const firing = firingOf(history).filter((i) => i.toMs === null || i.toMs > 0);
  const delivered = history.delivered.filter((d) => d.state === 'firing' && d.t >= 0);
  const why = unplanned ? ', and the plan has no rule of that name' : '';
  if (firing[0])
    f.seen.push(
      `it fired at ${seconds(firing[0].fromMs)}${firing[0].toMs === null ? ` and still did at ${seconds(endMs)}` : ` until ${seconds(firing[0].toMs)}`}${why}`,
    );
  if (delivered[0]) f.seen.push(`it was delivered to the receiver at ${seconds(delivered[0].t)}${why}`);
  const blind = undetectableRules(plan).some((r) => r.alert === contract.alert);
  const nothing = blind
    ? 'this run could not have seen it firing'
    : unscraped.length > 0 && `Prometheus never had what its rule reads (${unscraped.join(', ')})`;
  f.good.push(nothing ? `it did not fire, which proves nothing: ${nothing}` : 'it did not fire');
}

export function judgeMayFire(s: Setting, f: Findings): Timings {
  const { contract, faults, history } = s;
  const fired =
    history.episodes.some((e) => e.firingFrom !== null) ||
    history.delivered.some((d) => d.state === 'firing');
  if (contract.anytime) {
    f.good.push(fired ? 'it fired, which says nothing: it is known for a false alarm' : 'it did not fire');
    return NO_TIMINGS;
  }
  const own = faults.filter((x) => contract.fault === undefined || x.planned.name === contract.fault);
  const unproven = own.filter((x) => !x.proven);
  if (unproven.length > 0 && (fired || contract.fault !== undefined))
    f.blocking.push(`${names(unproven)} is not proven to have bitten, so it excuses nothing`);
  if (contract.fault !== undefined && own.length === 0)
    f.blocking.push(`the plan has no fault ${contract.fault}`);
  excuse(s, f);
  judgeLeftOn(s, own, f);
  f.good.push(fired ? 'it fired because of the fault' : 'it did not fire');
  const fault = own.find((x) => x.effectGoneMs !== null);
  return fired && contract.clearsWithinMs !== undefined && fault
    ? { ...NO_TIMINGS, clearMs: judgeClearing(s, fault, f) }
    : NO_TIMINGS;
}

export function judgeMustFire(s: Setting, f: Findings): Timings {
  const { contract, faults, history, plan, endMs } = s;
  const fault = faults.find((x) => x.planned.name === contract.fault);
  if (!fault || contract.withinMs === undefined) {
    f.blocking.push(
      fault
        ? 'the contract has no time within which it must fire'
        : `the plan has no fault ${contract.fault ?? 'for this contract'}`,
    );
    return NO_TIMINGS;
  }
  excuse(s, f);
  const { injectingMs, effectSeenMs } = fault;
  if (
    injectingMs !== null &&
    firingOf(history).some((i) => i.fromMs < injectingMs && (i.toMs === null || i.toMs > injectingMs))
  )
    f.seen.push('it was already firing when the fault was injected');
  if (!fault.proven) f.blocking.push(`${fault.planned.name} is not proven to have bitten`);
  if (injectingMs === null || effectSeenMs === null) return NO_TIMINGS;

  const limit = contract.withinMs + plan.slackMs;
  const missed = (what: string) =>
    (endMs < effectSeenMs + limit ? f.open : f.absent).push(
      `it was ${what} within ${seconds(limit)} of the effect`,
    );
  const first = history.episodes
    .filter((e) => e.firingFrom !== null && e.firingFrom >= injectingMs)
    .sort((a, b) => (a.firingFrom ?? 0) - (b.firingFrom ?? 0))[0];
  const detectionMs = first ? (first.firingFrom ?? 0) - effectSeenMs : null;
  if (detectionMs === null) missed('not firing');
  else if (detectionMs > limit)
    f.absent.push(`it fired ${seconds(detectionMs)} after the effect: later than ${seconds(limit)}`);

  const notified = history.delivered.filter((d) => d.state === 'firing' && d.t >= injectingMs);
  const proper = notified.filter((d) => hasLabels(d.labels, contract.labels))[0];
  const deliveryMs = proper ? proper.t - effectSeenMs : null;
  if (deliveryMs === null && notified.length > 0)
    f.absent.push(`it was delivered without the labels ${JSON.stringify(contract.labels)}`);
  else if (deliveryMs === null) missed('not delivered to the receiver');
  else if (deliveryMs > limit)
    f.absent.push(`it was delivered ${seconds(deliveryMs)} after the effect: later than ${seconds(limit)}`);

  judgeLasting(s, fault, f);
  const clearMs = first && contract.clearsWithinMs !== undefined ? judgeClearing(s, fault, f) : null;
  f.good.push(
    `firing ${seconds(detectionMs)} and delivered ${seconds(deliveryMs)} after the effect${clearMs === null ? '' : `, cleared ${seconds(clearMs)} after its end`}`,
  );
  return { detectionMs, deliveryMs, clearMs };
}

/** Who hears `resolved` while the fault is still there takes it for over. */
function judgeLasting({ history, plan }: Setting, fault: FaultFacts, f: Findings): void {
  const { injectingMs, revertingMs, planned } = fault;
  if (planned.watchEveryMs === null || injectingMs === null || revertingMs === null) return;
  const ends = firingOf(history)
    .filter((i) => i.fromMs >= injectingMs && i.fromMs < revertingMs)
    .map((i) => i.toMs);
  const early = revertingMs - marginMs(plan);
  const last = ends.at(-1);
  if (last !== undefined && last !== null && last < early)
    f.absent.push(`it stopped firing ${seconds(revertingMs - last)} before the fault was reverted`);
}

/**
 * An alert that may fire because of a fault must not stay on when all is over: then the platform did not come back, or the alert does not.
 * Over is when the effect is gone, and the longest recovery that the plan allows and what the rule looks back on have passed.
 */
function judgeLeftOn({ contract, history, plan, beatsMs }: Setting, faults: FaultFacts[], f: Findings): void {
  const left = firingOf(history).find((i) => i.toMs === null);
  const gone = faults.map((x) => x.effectGoneMs);
  if (!left || gone.length === 0 || gone.some((t) => t === null)) return;
  const rules = plan.rules.filter((r) => r.alert === contract.alert);
  const memory = Math.max(0, ...rules.map((r) => r.rangeMs + r.forMs + (r.keepFiringForMs ?? 0)));
  const recovery = Math.max(0, ...plan.recovery.map((r) => r.rtoMs));
  const over =
    Math.max(...gone.map((t) => t ?? 0)) +
    Math.max(memory, recovery, contract.clearsWithinMs ?? 0) +
    marginMs(plan);
  // An alert ends where it was seen to be off: of one that nobody looked at any more nobody knows.
  const watchedMs = beatsMs.at(-1) ?? 0;
  if (watchedMs > over)
    f.seen.push(
      `it fired at ${seconds(left.fromMs)} and still did at the end, ${seconds(watchedMs - over)} after all should have been over`,
    );
}

/** Inactive, and every instance's last notification `resolved`, by the deadline. Returns effect gone -> inactive, ms. */
function judgeClearing(
  { contract, history, plan, beatsMs, endMs }: Setting,
  fault: FaultFacts,
  f: Findings,
): number | null {
  const from = fault.injectingMs ?? 0;
  if (fault.effectGoneMs === null) {
    f.blocking.push(`the effect of ${fault.planned.name} is not proven to be gone`);
    return null;
  }
  const limit = (contract.clearsWithinMs ?? 0) + plan.slackMs;
  const deadline = fault.effectGoneMs + limit;
  const firing = firingOf(history).filter((i) => (i.toMs === null || i.toMs > from) && i.fromMs <= deadline);
  const end = firing.reduce<number | null>(
    (latest, i) => (latest === null || i.toMs === null ? null : Math.max(latest, i.toMs)),
    firing.length > 0 ? 0 : null,
  );
  const late = endMs < deadline || unlooked(beatsMs, deadline, end, plan) ? f.open : f.absent;
  if (end === null) late.push(`it did not clear within ${seconds(limit)} of the effect's end`);
  else if (end > deadline)
    late.push(
      `it cleared ${seconds(end - fault.effectGoneMs)} after the effect's end: later than ${seconds(limit)}`,
    );
  const unresolved = lastStates(history.delivered.filter((d) => d.t <= deadline)).filter(
    (d) => d.state === 'firing',
  );
  if (unresolved.length > 0)
    late.push(`its resolution was not delivered within ${seconds(limit)} of the effect's end`);
  return end === null ? null : end - fault.effectGoneMs;
}

/**
 * Whether nobody evaluated rules from before the deadline until the alert was seen to be off: it may have been off in time, and nobody could
 * have said so. `offMs` null: it never was.
 */
function unlooked(
  beatsMs: readonly number[],
  deadline: number,
  offMs: number | null,
  { evaluationMs }: Plan,
): boolean {
  if (offMs !== null && offMs <= deadline) return false;
  const before = beatsMs.findLast((t) => t <= deadline) ?? 0;
  const after = beatsMs.find((t) => t > deadline) ?? Number.POSITIVE_INFINITY;
  // One that is late is no gap; and the alert's rule has its own instants, up to an evaluation later.
  return after - before > 2.5 * evaluationMs && (offMs ?? Number.POSITIVE_INFINITY) <= after + evaluationMs;
}

function lastStates(delivered: Delivered[]): Delivered[] {
  return [...new Map(delivered.map((d) => [instanceKey('', d.labels), d])).values()];
}

/**
 * A fault excuses what began in its span: from its injection until its effect was gone, plus the rule's range and `for` (or the
 * time that a contract grants for clearing), plus slack, a scrape and an evaluation. What is delivered began when it says so: Alertmanager
 * may keep it for as long as it groups (`group_wait`, `group_interval`), or deliver it again. In a plan without faults, may-fire means at any time.
 */
function excuse({ contract, contracts, faults, history, plan, endMs }: Setting, f: Findings): void {
  const own = contracts.filter((x) => x.alert === contract.alert && x.expect !== 'must-not-fire');
  if (plan.faults.length === 0 && own.some((x) => x.fault === undefined)) return;
  const rules = plan.rules.filter((r) => r.alert === contract.alert);
  const memory = Math.max(0, ...rules.map((r) => r.rangeMs + r.forMs));
  const spans = own.flatMap((x) =>
    faults.flatMap((fault) => {
      if ((x.fault !== undefined && x.fault !== fault.planned.name) || fault.injectingMs === null) return [];
      const over = fault.effectGoneMs ?? fault.revertedMs ?? endMs;
      // What must fire and clear in time has no excuse to fire again later, however long its rule remembers.
      const after =
        x.expect === 'must-fire' && x.clearsWithinMs !== undefined
          ? x.clearsWithinMs
          : Math.max(memory, x.clearsWithinMs ?? 0);
      return [{ from: fault.injectingMs, to: over + after + marginMs(plan) }];
    }),
  );
  const inSpan = (t: number) => spans.some((span) => t >= span.from && t <= span.to);
  for (const e of history.episodes) {
    if (e.firingFrom === null || (e.to !== null && e.to <= 0)) continue;
    if (!inSpan(e.firingFrom)) f.seen.push(`it fired at ${seconds(e.firingFrom)}, where no fault excuses it`);
    else if (!inSpan(e.activeFrom))
      f.open.push(
        `it fired at ${seconds(e.firingFrom)}, but was pending since ${seconds(e.activeFrom)}, before the fault: the fault may not be why`,
      );
  }
  const stray = history.delivered.find((d) => d.state === 'firing' && d.t >= 0 && !inSpan(beganMs(d)));
  if (stray)
    f.seen.push(
      `it was delivered at ${seconds(stray.t)}${beganMs(stray) < stray.t ? `, on since ${seconds(beganMs(stray))}` : ''}, where no fault excuses it`,
    );
}

/** By the clock of Prometheus, as all that is read from it. A later one than its arrival is absurd. */
const beganMs = ({ t, startsAt }: Delivered): number => Math.min(t, startsAt);

/** An alert may be as late as what it is computed from. */
const marginMs = ({ slackMs, scrapeMs, evaluationMs }: Plan): number => slackMs + scrapeMs + evaluationMs;

function names(faults: FaultFacts[]): string {
  return faults.map((x) => x.planned.name).join(', ');
}
