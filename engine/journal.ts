/** Writer of `journal.ndjson`. Synchronous appends: an entry that was written survives a SIGKILL of the harness. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { JournalEntry, type JournalFact } from '../evidence/journal.ts';

export type JournalListener = (entry: JournalEntry) => void;

export class Journal {
  private readonly fd: number;
  private readonly opened = performance.now();
  private readonly listeners: JournalListener[] = [];
  private seq = 0;
  /** Set when an entry could not be written: the evidence is incomplete from there on. */
  failure: Error | undefined;
  onFailure: ((error: Error) => void) | undefined;

  constructor(file: string) {
    this.fd = openSync(file, 'a');
  }

  /** `at`: performance.now() of the act, when it is known more exactly than "now". */
  write(fact: JournalFact, at = performance.now()): JournalEntry {
    const entry = JournalEntry.parse({
      seq: this.seq++,
      t: Math.round((at - this.opened) * 1000) / 1000,
      wall: new Date(Date.now() - (performance.now() - at)).toISOString(),
      ...fact,
    });
    try {
      writeSync(this.fd, `${JSON.stringify(entry)}\n`);
    } catch (error) {
      // The disk is full, most likely. Throwing here would end timers and faults in the middle of their life.
      this.failure ??= error as Error;
      this.onFailure?.(this.failure);
    }
    for (const listener of this.listeners) listener(entry);
    return entry;
  }

  listen(listener: JournalListener): void {
    this.listeners.push(listener);
  }

  close(): void {
    closeSync(this.fd);
  }
}
