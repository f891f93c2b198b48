/** Walks the plan's timeline: phases begin and end, faults are injected and reverted at their instants. */
import type { Plan } from '../evidence/plan.ts';
import type { RunClock } from './clock.ts';
import type { FaultLife } from './fault-life.ts';
import type { Journal } from './journal.ts';
import type { StopSignal } from './stop.ts';

interface Act {
  at: number;
  /** Order at the same instant: what ends, then reverts, then begins, then injects. */
  order: number;
  do(): void;
}

/** Returns when the timeline is over, or was stopped, and every fault is reverted and audited. */
export async function conduct(
  plan: Plan,
  faults: FaultLife[],
  journal: Journal,
  clock: RunClock,
  stop: StopSignal,
): Promise<void> {
  const lives = new Map<FaultLife, Promise<void>>();
  const acts: Act[] = [];
  for (const phase of plan.phases) {
    acts.push({
      at: phase.startMs,
      order: 2,
      do: () => journal.write({ type: 'phase.started', phase: phase.name }),
    });
    acts.push({
      at: phase.endMs,
      order: 0,
      do: () => journal.write({ type: 'phase.ended', phase: phase.name }),
    });
  }
  for (const fault of faults) {
    acts.push({ at: fault.planned.injectMs, order: 3, do: () => lives.set(fault, fault.begin()) });
    // The revert does not wait for a probe that is still looking: its time has come.
    acts.push({
      at: fault.planned.revertMs,
      order: 1,
      do: () =>
        lives.set(
          fault,
          Promise.all([lives.get(fault), fault.end()]).then(() => {}),
        ),
    });
  }
  acts.sort((a, b) => a.at - b.at || a.order - b.order);

  for (const act of acts) {
    await stop.sleep(act.at - clock.now());
    if (stop.stopped) break;
    act.do();
  }
  for (const fault of faults)
    if (fault.state !== 'over')
      lives.set(
        fault,
        Promise.all([lives.get(fault), fault.end()]).then(() => {}),
      );
  await Promise.all(lives.values());
}
