/** The life of each planned fault, read from the journal; all instants ms since the run's origin. */
import type { JournalEntry } from '../../evidence/journal.ts';
import type { Plan, PlannedFault } from '../../evidence/plan.ts';

export interface FaultFacts {
  planned: PlannedFault;
  /** The injection began / was complete. */
  injectingMs: number | null;
  injectedMs: number | null;
  effectSeenMs: number | null;
  revertingMs: number | null;
  /** The undo was complete. */
  revertedMs: number | null;
  effectGoneMs: number | null;
  auditClean: boolean | null;
  leaks: string[];
  errors: { step: string; message: string }[];
  /** What the probe said, for people. */
  detail: string;
  /** The probe saw the effect in time, after the injection began and before the revert, and not before the injection. */
  proven: boolean;
}

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
      revertingMs: at('fault.reverting'),
      revertedMs: at('fault.reverted'),
      effectGoneMs: at('fault.effect-gone'),
      auditClean: audits.at(-1)?.clean ?? null,
      leaks: audits.at(-1)?.leaks ?? [],
      errors,
      detail: own
        .flatMap((e) => ('detail' in e && e.detail && e.type.startsWith('fault.effect') ? [e.detail] : []))
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
  return inTime && (f.revertingMs === null || f.effectSeenMs <= f.revertingMs);
}
