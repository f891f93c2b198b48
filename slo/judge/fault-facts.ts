/** The life of each planned fault, read from the journal; all instants ms since the run's origin. */
import type { JournalEntry } from '../../evidence/journal.ts';
import type { Plan, PlannedFault } from '../../evidence/plan.ts';

export interface FaultFacts {
  planned: PlannedFault;
  /** The injection began / was complete. */
  injectingMs: number | null;
  injectedMs: number | null;
  effectSeenMs: number | null;
  /** When the effect was seen again, as long as it was to last. */
  heldMs: number[];
  /** It was not seen any more, before the revert. */
  lostMs: number | null;
  revertingMs: number | null;
  /** The undo was complete. */
  revertedMs: number | null;
  effectGoneMs: number | null;
  auditClean: boolean | null;
  leaks: string[];
  /** What had to be forced, so that nothing is left. */
  forced: string[];
  errors: { step: string; message: string }[];
  /** What the probe said, for people. */
  detail: string;
  /** The probe saw the effect in time, after the injection began and before the revert, and not before the injection; and again until the revert. */
  proven: boolean;
}

/** Whose words are for people: not each of the looks that only saw the same again. */
const TOLD: ReadonlySet<JournalEntry['type']> = new Set([
  'fault.effect-seen',
  'fault.effect-not-seen',
  'fault.effect-lost',
  'fault.effect-gone',
  'fault.effect-not-gone',
]);

export function faultFacts(plan: Plan, journal: JournalEntry[]): FaultFacts[] {
  return plan.faults.map((planned) => {
    const own = journal.filter((e) => 'fault' in e && e.fault === planned.name);
    const at = (type: JournalEntry['type']) => own.find((e) => e.type === type)?.t ?? null;
    const errors = own.flatMap((e) =>
      e.type === 'fault.error' ? [{ step: e.step, message: e.message }] : [],
    );
    const audits = own.flatMap((e) => (e.type === 'fault.audit' ? [e] : []));
    const facts = {
      planned,
      injectingMs: at('fault.injecting'),
      injectedMs: at('fault.injected'),
      effectSeenMs: at('fault.effect-seen'),
      heldMs: own.flatMap((e) => (e.type === 'fault.effect-held' ? [e.t] : [])),
      lostMs: at('fault.effect-lost'),
      revertingMs: at('fault.reverting'),
      revertedMs: at('fault.reverted'),
      effectGoneMs: at('fault.effect-gone'),
      auditClean: audits.at(-1)?.clean ?? null,
      leaks: audits.at(-1)?.leaks ?? [],
      forced: own.flatMap((e) => (e.type === 'undo.forced' ? [e.said] : [])),
      errors,
      detail: own
        .flatMap((e) => ('detail' in e && e.detail && TOLD.has(e.type) ? [e.detail] : []))
        .join('; '),
    };
    return { ...facts, proven: isProven(facts) };
  });
}

function isProven(f: Omit<FaultFacts, 'proven'>): boolean {
  if (f.injectingMs === null || f.effectSeenMs === null || f.errors.some((e) => e.step === 'probe'))
    return false;
  const injected = Math.max(f.injectedMs ?? f.injectingMs, f.injectingMs);
  const inTime = f.effectSeenMs >= f.injectingMs && f.effectSeenMs <= injected + f.planned.effectWithinMs;
  return inTime && (f.revertingMs === null || f.effectSeenMs <= f.revertingMs) && unwatchedMs(f) === null;
}

/** The conductor acts at once; a second is more than its timers ever need on a busy machine. */
export const lateAfterMs = ({ slackMs }: Pick<Plan, 'slackMs'>): number => Math.max(1000, slackMs);

/** How much later than planned its revert began, when that is more than may be; null: in time, or not at all. */
export function revertLateMs(plan: Plan, { planned, revertingMs }: FaultFacts): number | null {
  const late = (revertingMs ?? planned.revertMs) - planned.revertMs;
  return late > lateAfterMs(plan) ? late : null;
}

/** Looks may come late on a busy machine, and the last one may be overtaken by the revert. */
const LATE = 1.6;

/** Since when nobody saw the effect of a fault that was to last, though it was not reverted yet; null: it was seen all along. */
export function unwatchedMs(f: Omit<FaultFacts, 'proven'>): number | null {
  const { watchEveryMs, effectWithinMs } = f.planned;
  if (watchEveryMs === null || f.effectSeenMs === null) return null;
  const looks = [f.effectSeenMs, ...f.heldMs];
  // What a look that began before the revert finds after it is the revert's doing.
  if (f.lostMs !== null && (f.revertingMs === null || f.lostMs <= f.revertingMs)) return looks.at(-1) ?? null;
  const ends = [...f.heldMs, ...(f.revertingMs === null ? [] : [f.revertingMs])];
  const most = LATE * watchEveryMs + Math.min(effectWithinMs, watchEveryMs);
  const gap = ends.findIndex((end, i) => end - (looks[i] as number) > most);
  return gap === -1 ? null : (looks[gap] as number);
}
