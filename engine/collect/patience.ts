/** A finished run must not be `unknown` for one time-out: evidence is asked for a few at a time, and again for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NoAnswerError } from '../../base/errors.ts';

/** Whom a fault has just let go may take that long to answer. */
export const PATIENCE_MS = 60_000;
/** Who is busy is not made busier. */
const AT_ONCE = 4;
const AGAIN_MS = 1000;
/** As long as a single question may take: who was silent for less may be at work on it. */
const SILENT_MS = 10_000;

/** With one server. */
export class Patience {
  private readonly withinMs: number;
  private readonly againMs: number;
  private readonly silentMs: number;
  private readonly waiting: (() => void)[] = [];
  private free = AT_ONCE;
  /** When the first question was asked of those that nobody has answered since. */
  private silentSince: number | undefined;

  /**
   * @param options.withinMs how long a question is asked again; 0: who waits has no time for it
   * @param options.againMs between two tries, in which others have their turn
   */
  constructor({ withinMs = PATIENCE_MS, againMs = AGAIN_MS, silentMs = SILENT_MS } = {}) {
    this.withinMs = withinMs;
    this.againMs = againMs;
    this.silentMs = Math.max(withinMs, silentMs);
  }

  /**
   * When the patience is over without an answer to anybody, nothing more is asked: each would wait for its own time-out.
   * @throws what `question` threw last: at once, unless it is a NoAnswerError
   */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    let began = Number.POSITIVE_INFINITY;
    const firstAsked = () => {
      began = Math.min(began, performance.now());
      return question();
    };
    for (;;) {
      try {
        return await this.inTurn(firstAsked);
      } catch (error) {
        if (!(error instanceof NoAnswerError) || this.isOver(began)) throw error;
      }
      await sleep(this.againMs);
    }
  }

  private async inTurn<T>(question: () => Promise<T>): Promise<T> {
    while (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.free--;
    const asked = performance.now();
    try {
      if (this.isSilent()) throw new NoAnswerError('not asked: nothing else was answered');
      const answer = await question();
      this.silentSince = undefined;
      return answer;
    } catch (error) {
      if (error instanceof NoAnswerError) this.silentSince ??= asked;
      else this.silentSince = undefined;
      throw error;
    } finally {
      this.free++;
      this.waiting.shift()?.();
    }
  }

  private isOver(began: number): boolean {
    return this.isSilent() || performance.now() - began > this.withinMs;
  }

  private isSilent(): boolean {
    return this.silentSince !== undefined && performance.now() - this.silentSince > this.silentMs;
  }
}
