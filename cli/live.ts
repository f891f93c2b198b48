/** The live view: one status line redrawn on a terminal, plain lines elsewhere. */

import type { LiveLoad } from '../engine/load/live-tail.ts';
import type { JournalEntry } from '../evidence/journal.ts';
import type { Plan } from '../evidence/plan.ts';

/** Entries that a person wants to see as they happen; the rest is in the journal. */
function describe(entry: JournalEntry): string | undefined {
  switch (entry.type) {
    case 'target.up':
      return `target is up (${entry.seconds.toFixed(1)} s)`;
    case 'run.started':
      return 'timeline starts';
    case 'phase.started':
      return `phase ${entry.phase}`;
    case 'fault.injected':
      return `fault ${entry.fault}: ${entry.detail ?? 'injected'}`;
    case 'fault.effect-seen':
      return `fault ${entry.fault}: effect seen (${entry.detail})`;
    case 'fault.effect-not-seen':
      return `fault ${entry.fault}: NO EFFECT SEEN (${entry.detail})`;
    case 'fault.effect-lost':
      return `fault ${entry.fault}: EFFECT GONE BEFORE THE REVERT (${entry.detail})`;
    case 'fault.reverted':
      return `fault ${entry.fault}: reverted`;
    case 'fault.effect-gone':
      return `fault ${entry.fault}: effect gone (${entry.detail})`;
    case 'fault.effect-not-gone':
      return `fault ${entry.fault}: EFFECT STILL THERE (${entry.detail})`;
    case 'fault.error':
      return `fault ${entry.fault}: ${entry.step} failed: ${entry.message}`;
    case 'component.exited':
      return entry.expected
        ? undefined
        : `${entry.component}${entry.container === undefined ? '' : `/${entry.container}`} ended by itself (${entry.signal ?? `code ${entry.code}`})`;
    case 'abort':
      return `ABORT: ${entry.message}`;
    case 'drain.started':
      return `draining: ${entry.outstanding} events outstanding`;
    case 'drain.ended':
      return entry.timedOut ? `drain over: ${entry.outstanding} events never processed` : 'drain complete';
    case 'evidence.missing':
      return `evidence missing: ${entry.what}: ${entry.reason.split('\n')[0]}`;
    case 'run.ended':
      return entry.outcome === 'completed' ? undefined : `${entry.outcome}: ${entry.reason ?? ''}`;
    default:
      return undefined;
  }
}

const BAR = 20;

export class LiveView {
  private readonly out: NodeJS.WriteStream;
  private readonly lengthMs: number;
  private readonly fancy: boolean;
  private readonly activeFaults = new Set<string>();
  private origin: number | undefined;
  private phase = 'setting up';
  private live: LiveLoad | undefined;
  private alerts: string[] = [];
  private status = '';
  private lastPlain = 0;

  constructor(plan: Plan, out: NodeJS.WriteStream) {
    this.out = out;
    this.fancy = out.isTTY === true && process.env.TERM !== 'dumb';
    this.lengthMs = plan.phases.at(-1)?.endMs ?? 0;
  }

  entry(entry: JournalEntry): void {
    if (entry.type === 'run.started') this.origin = performance.now();
    if (entry.type === 'phase.started') this.phase = entry.phase;
    if (entry.type === 'fault.injected') this.activeFaults.add(entry.fault);
    if (entry.type === 'fault.effect-gone') this.activeFaults.delete(entry.fault);
    const text = describe(entry);
    if (text !== undefined) this.line(text);
  }

  load(live: LiveLoad, alerts: string[]): void {
    this.live = live;
    for (const alert of alerts) if (!this.alerts.includes(alert)) this.line(`alert ${alert} fires`);
    for (const alert of this.alerts) if (!alerts.includes(alert)) this.line(`alert ${alert} is over`);
    this.alerts = alerts;
    this.draw();
  }

  end(): void {
    if (this.fancy && this.status) this.out.write('\r\x1b[K');
    this.status = '';
  }

  private line(text: string): void {
    const at =
      this.origin === undefined
        ? '   --  '
        : `${((performance.now() - this.origin) / 1000).toFixed(1).padStart(5)} s`;
    this.out.write(`${this.fancy && this.status ? '\r\x1b[K' : ''}  ${at}  ${text}\n`);
    if (this.fancy && this.status) this.out.write(this.status);
  }

  private draw(): void {
    const elapsed = this.origin === undefined ? 0 : performance.now() - this.origin;
    const filled = Math.min(BAR, Math.round((elapsed / this.lengthMs) * BAR));
    const numbers = this.live
      ? `${this.live.rate.toFixed(0)}/s  errors ${this.live.failed}  p95 ${this.live.p95Ms.toFixed(0)} ms`
      : '';
    const extras = [
      ...[...this.activeFaults].map((f) => `fault ${f}`),
      ...this.alerts.map((a) => `alert ${a}`),
    ].join('  ');
    if (this.fancy) {
      const width = Math.max(40, this.out.columns ?? 100);
      this.status =
        `  [${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${this.phase}  ${numbers}  ${extras}`.slice(
          0,
          width - 1,
        );
      this.out.write(`\r\x1b[K${this.status}`);
    } else if (elapsed - this.lastPlain >= 10_000) {
      this.lastPlain = elapsed;
      this.line(`${this.phase}: ${numbers}${extras ? `  ${extras}` : ''}`);
    }
  }
}
