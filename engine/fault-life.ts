/**
 * Leads one fault through its life: undo on disk, injected, effect seen, (held), reverted, effect gone, audited.
 * Every step is in the journal at the instant at which it happened; a step that fails is there as well.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EvidenceError, HarnessError } from '../base/errors.ts';
import type { Allow, ArmedFault, Impact } from '../chaos/fault.ts';
import { GuardrailError, together } from '../chaos/guardrails/guard.ts';
import type { UndoLog } from '../chaos/undo/log.ts';
import { carryOut, describeUndo, takeForced, type UndoOperation } from '../chaos/undo/operations.ts';
import type { PlannedFault } from '../evidence/plan.ts';
import type { Journal } from './journal.ts';

const PROBE_EVERY_MS = 100;
const LOOK_BEFORE_MS = 800;
/**
 * So many looks in a row must agree that the effect of a fault that lasts is there, is still there, or is gone: one slow answer on a busy
 * machine proves nothing, nor does one that got through.
 */
const LOOKS_TO_PROVE = 3;
/** The same of a fault that strikes: what it hit may be back in a second. */
const LOOKS_AT_A_STRIKE = 2;
type FaultFact = 'fault.effect-seen' | 'fault.effect-held' | 'fault.effect-gone';
const NOT = {
  'fault.effect-seen': 'fault.effect-not-seen',
  'fault.effect-held': 'fault.effect-lost',
  'fault.effect-gone': 'fault.effect-not-gone',
} as const;

/** What faults have taken and not yet given back, of each run: its faults share its journal. */
const TAKEN = new WeakMap<Journal, Map<string, Impact>>();

export type FaultState = 'planned' | 'active' | 'over';

export class FaultLife {
  readonly planned: PlannedFault;
  state: FaultState = 'planned';
  private readonly armed: ArmedFault;
  private readonly journal: Journal;
  private readonly undoLog: UndoLog;
  private readonly guard: Allow;
  private readonly onRefused: (why: string) => void;
  private undoIds: number[] = [];
  private asked = false;
  private injected = false;
  private injection: Promise<string> | undefined;
  private readonly overSignal = new AbortController();

  /**
   * @param guard throws GuardrailError for what is not allowed
   * @param onRefused called when it did; the run must not go on as if the fault were there
   */
  constructor(
    planned: PlannedFault,
    armed: ArmedFault,
    journal: Journal,
    undoLog: UndoLog,
    { guard, onRefused }: { guard: Allow; onRefused: (why: string) => void },
  ) {
    this.planned = planned;
    this.armed = armed;
    this.journal = journal;
    this.undoLog = undoLog;
    this.guard = guard;
    this.onRefused = onRefused;
  }

  /** @throws HarnessError when the target would not take the fault: better before the load than in its middle. */
  async rehearse(): Promise<void> {
    try {
      await this.armed.rehearse?.();
    } catch (error) {
      throw new HarnessError(
        `the target would not take fault ${this.planned.name}: ${(error as Error).message}`,
      );
    }
  }

  /** Injects, then watches for the effect. Never throws: the judge reads failures from the journal. */
  async begin(): Promise<void> {
    const fault = this.planned.name;
    try {
      // What the probe sees before the fault would prove nothing afterwards.
      const there = await this.lookBefore();
      if (there !== undefined)
        this.journal.write({ type: 'fault.error', fault, step: 'probe', message: there });
      await this.armed.prepare?.();
      if (this.isOver()) return;
      for (const undo of this.armed.undo) {
        this.undoIds.push(this.undoLog.record(`fault ${fault}`, undo));
        this.journal.write({ type: 'fault.undo-recorded', fault, undo: toldOf(undo) });
      }
      if (this.armed.undo.length === 0)
        this.journal.write({ type: 'fault.undo-recorded', fault, undo: this.planned.undo });
      this.journal.write({ type: 'fault.injecting', fault });
      this.state = 'active';
      const { injectMs, revertMs } = this.planned;
      this.injection = this.armed.inject(this.allow, revertMs - injectMs);
      const detail = await this.injection;
      if (!this.asked)
        throw new HarnessError(`${this.planned.kind} did not say what it takes: please report this`);
      this.injected = true;
      this.journal.write({ type: 'fault.injected', fault, detail });
    } catch (error) {
      if (error instanceof GuardrailError) {
        await this.overIfClean();
        this.onRefused(error.message);
      } else {
        const overtaken = this.isOver();
        const step = overtaken ? 'overtaken' : error instanceof EvidenceError ? 'unfinished' : 'inject';
        this.journal.write({ type: 'fault.error', fault, step, message: (error as Error).message });
        // It proves nothing any more. Until its planned end, others would be refused for what it has not taken, or has taken for nothing.
        if (!overtaken) await this.end();
      }
      return;
    }
    if (!this.isOver() && (await this.watch('fault.effect-seen'))) await this.hold();
  }

  /** One look may fail on a busy machine: it is taken again, for no longer than an injection may be late. @returns why they prove nothing */
  private async lookBefore(): Promise<string | undefined> {
    const deadline = performance.now() + LOOK_BEFORE_MS;
    for (;;) {
      const found = await this.armed.probe().catch((error: Error) => error);
      if (!(found instanceof Error) && !found.seen) return undefined;
      if (performance.now() > deadline || this.isOver())
        return found instanceof Error
          ? `nobody could look before the injection: ${found.message}`
          : `the effect was there before the injection: ${found.detail}`;
      await sleep(PROBE_EVERY_MS);
    }
  }

  /** Reverts, waits until the effect is gone, and audits. Never throws. */
  async end(): Promise<void> {
    const wasActive = this.state === 'active';
    this.state = 'over';
    this.overSignal.abort();
    if (!wasActive) return;
    const fault = this.planned.name;
    // An act that is on its way would land after its own undo, and nobody would look again.
    await this.injection?.catch(() => {});
    this.journal.write({ type: 'fault.reverting', fault });
    let reverted = false;
    try {
      await this.armed.revert();
      reverted = true;
      this.journal.write({ type: 'fault.reverted', fault });
    } catch (error) {
      this.journal.write({ type: 'fault.error', fault, step: 'revert', message: (error as Error).message });
    }
    await this.watch('fault.effect-gone');
    const leaks = await this.leaks();
    this.journal.write({ type: 'fault.audit', fault, clean: leaks.length === 0, leaks });
    // A leak stays in the undo log, so that the reaper tries again, and goes on counting as taken; so does what was not reverted and has no audit.
    if ((reverted && leaks.length === 0) || (await this.force())) this.undone();
  }

  /** What the platform is to recover from must not stay until the end of the run. @returns whether nothing is left */
  private async force(): Promise<boolean> {
    const fault = this.planned.name;
    for (const undo of this.armed.undo) await carryOut(undo).catch(() => {});
    for (const said of takeForced()) this.journal.write({ type: 'undo.forced', fault, said });
    return this.armed.undo.length > 0 && (await this.leaks()).length === 0;
  }

  /** What was not done needs no revert, which would fail for want of what to undo; what an earlier act left is reverted as usual. */
  private async overIfClean(): Promise<void> {
    if ((await this.leaks()).length > 0) return;
    this.state = 'over';
    this.undone();
  }

  private leaks(): Promise<string[]> {
    return this.armed.audit().catch((error: Error) => [`the audit itself failed: ${error.message}`]);
  }

  private undone(): void {
    this.taken().delete(this.planned.name);
    for (const id of this.undoIds) this.undoLog.done(id);
  }

  private taken(): Map<string, Impact> {
    const known = TAKEN.get(this.journal) ?? new Map<string, Impact>();
    TAKEN.set(this.journal, known);
    return known;
  }

  private isOver(): boolean {
    return this.state === 'over';
  }

  private readonly allow: Allow = (impact) => {
    if (this.isOver()) throw new HarnessError(`the time of fault ${this.planned.name} is over`);
    this.asked = true;
    const fault = this.planned.name;
    const pods = impact.pods.map(({ namespace, name }) => (namespace ? `${namespace}/${name}` : name));
    const workloads = impact.workloads.map(({ name, hit, of }) => ({ name, hit, of }));
    this.journal.write({ type: 'fault.impact', fault, pods, nodes: impact.nodes, workloads });
    try {
      this.guard(impact);
      // One by one, each may be within bounds.
      const others = new Map([...this.taken()].filter(([name]) => name !== fault));
      if (others.size > 0) this.guard(together(impact, others));
      this.taken().set(fault, impact);
    } catch (error) {
      const { message } = error as Error;
      this.journal.write({ type: 'fault.error', fault, step: 'guardrail', message });
      // Before the injection is complete, `begin` sees to what there is to undo, and then says so.
      if (this.injected) this.onRefused(message);
      throw error;
    }
  };

  /** Looks again until the fault is over: an effect that went away by itself would leave the rest of its phases whole. */
  private async hold(): Promise<void> {
    const { watchEveryMs } = this.planned;
    if (watchEveryMs === null) return;
    const { signal } = this.overSignal;
    let began = performance.now();
    do {
      // From the first look on, and not from the last one: several take their time.
      const waitMs = Math.max(0, began + watchEveryMs - performance.now());
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      began = performance.now();
    } while (!this.isOver() && (await this.watch('fault.effect-held')));
  }

  /**
   * @returns whether what was wanted came in time. Looks that the end of the fault overtakes say nothing, unless more of them had seen by
   * then, and more than once, that the effect was not there
   */
  private async watch(wanted: FaultFact): Promise<boolean> {
    const fault = this.planned.name;
    const { effectWithinMs, watchEveryMs } = this.planned;
    const again = wanted === 'fault.effect-held';
    // No longer than until the next look would begin: a deadline that outlasts the fault would find nothing.
    const withinMs = again ? Math.min(effectWithinMs, watchEveryMs ?? effectWithinMs) : effectWithinMs;
    const began = performance.now();
    /** What the last look said that did not agree. */
    let last = 'never looked';
    let agreed = 0;
    let missed = 0;
    const looksWanted = watchEveryMs === null ? LOOKS_AT_A_STRIKE : LOOKS_TO_PROVE;
    /** When the first of those in a row began. */
    let first: number | undefined;
    let inARow = 0;
    // Those in a row that began in time are taken to their end: a look may take a third of a quarter of the fault.
    while (inARow > 0 || performance.now() < began + withinMs) {
      const at = performance.now();
      const found = await this.armed.probe().catch((error: Error) => error);
      if (again && this.isOver()) {
        if (missed > Math.max(1, agreed)) this.writeNot(wanted, last, began);
        return false;
      }
      // What is seen from here on may be the work of the revert.
      if (wanted === 'fault.effect-seen' && this.isOver()) break;
      if (found instanceof Error) {
        last = `the probe itself failed: ${found.message}`;
        first = undefined;
        inARow = 0;
      } else {
        const { seen, detail } = found;
        if (seen === (wanted !== 'fault.effect-gone')) {
          first ??= at;
          agreed++;
          if (++inARow === looksWanted) {
            this.journal.write({ type: wanted, fault, probe: this.planned.probe, detail }, first);
            return true;
          }
        } else {
          first = undefined;
          inARow = 0;
          missed++;
          last = detail;
        }
      }
      await sleep(PROBE_EVERY_MS);
    }
    this.writeNot(wanted, last);
    return false;
  }

  private writeNot(wanted: FaultFact, detail: string, at = performance.now()): void {
    const { name: fault, probe } = this.planned;
    this.journal.write({ type: NOT[wanted], fault, probe, detail }, at);
  }
}

/** For the bundle, which others read: what a field had may be anybody's secret. */
function toldOf(undo: UndoOperation): string {
  return undo.op === 'patch-object'
    ? `set ${undo.field} of ${undo.object} back to what it was`
    : describeUndo(undo);
}
