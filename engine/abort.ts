/** Watches the load while it runs: feeds the live view, and stops a run whose objective is far out of bounds. */
import type { Plan } from '../evidence/plan.ts';
import type { Scenario } from '../scenarios/schema.ts';
import type { RunClock } from './clock.ts';
import type { LiveLoad } from './load/live-tail.ts';
import type { LoadHandle } from './load/start.ts';
import type { StopReason } from './stop.ts';

const EVERY_MS = 1000;
/** Of fewer, the share says nothing: of one request it is all or nothing. */
const LEAST_ENDED = 10;

type Condition = Scenario['spec']['abort'][number];

export interface AbortWatch {
  stop(): void;
}

export function watchAborts(options: {
  plan: Plan;
  conditions: Condition[];
  load: LoadHandle;
  clock: RunClock;
  abort(reason: StopReason): void;
  onLive(live: LiveLoad): void;
}): AbortWatch {
  const { plan, conditions, load, clock } = options;
  /** When a streak of bad seconds began, and what there was until then. */
  const since = new Map<Condition, { ms: number; sent: number; failed: number }>();
  let last: LiveLoad | undefined;
  let busy = false;
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      const live = await load.live();
      options.onLive(live);
      const phase = plan.phases.find((p) => clock.now() < p.endMs)?.name;
      for (const condition of conditions) {
        const now = live.streams[condition.stream];
        const before = last?.streams[condition.stream] ?? { sent: 0, failed: 0 };
        if (!now || !phase || !condition.phases.includes(phase as never)) {
          since.delete(condition);
          continue;
        }
        const sent = now.sent - before.sent;
        // Nothing ended, so nothing ended well: the stream is slow, or the platform hangs.
        if (sent === 0) continue;
        const share = (now.failed - before.failed) / sent;
        if (share <= condition.errorShareAbove) {
          since.delete(condition);
          continue;
        }
        const start = since.get(condition) ?? { ms: clock.now(), sent: before.sent, failed: before.failed };
        since.set(condition, start);
        const ended = now.sent - start.sent;
        const failedShare = (now.failed - start.failed) / ended;
        const tookMs = clock.now() - start.ms;
        if (ended >= LEAST_ENDED && tookMs >= condition.for / plan.run.timeScale) {
          options.abort({
            outcome: 'aborted',
            blame: 'platform',
            reason: `${Math.round(failedShare * 100)} % of ${condition.stream} failed in ${phase}, above ${condition.errorShareAbove * 100} % for ${(tookMs / 1000).toFixed(1)} s`,
          });
        }
      }
      last = live;
    } catch {
      // The generator's API is a convenience; its records are the evidence, and its end is watched elsewhere.
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  return { stop: () => clearInterval(timer) };
}
