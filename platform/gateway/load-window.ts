/** Mean concurrency over a sliding window, exact (the integral over time), as the autoscaler's stable window wants it. */
export class LoadWindow {
  readonly #windowMs: number;
  readonly #now: () => number;
  /** Closed spans, oldest first: end of the span, its length, concurrency x time in it. */
  #spans: { end: number; ms: number; area: number }[] = [];
  #current = 0;
  #at: number;
  #area = 0;
  #spanBegan: number;

  constructor(windowMs: number, now: () => number = () => performance.now()) {
    this.#windowMs = windowMs;
    this.#now = now;
    this.#at = now();
    this.#spanBegan = this.#at;
  }

  /** The concurrency changed to `value`. */
  set(value: number): void {
    const now = this.#now();
    this.#area += this.#current * (now - this.#at);
    this.#at = now;
    this.#current = value;
  }

  /** Closes a span and gives the mean over the spans of the window. */
  mean(): number {
    this.set(this.#current);
    if (this.#at > this.#spanBegan)
      this.#spans.push({ end: this.#at, ms: this.#at - this.#spanBegan, area: this.#area });
    this.#spanBegan = this.#at;
    this.#area = 0;
    this.#spans = this.#spans.filter((span) => span.end > this.#at - this.#windowMs);
    const ms = this.#spans.reduce((sum, span) => sum + span.ms, 0);
    return ms === 0 ? this.#current : this.#spans.reduce((sum, span) => sum + span.area, 0) / ms;
  }
}
