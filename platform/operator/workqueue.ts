/**
 * A work queue as controllers have it: a key that waits is there once; a key that is worked on is not worked on twice
 * at a time, but comes back when it was added meanwhile; failures come back with exponential delay.
 */
export interface WorkQueueHooks {
  depth: (items: number) => void;
  /** Seconds that a key waited before its work began. */
  waited: (seconds: number) => void;
}

export class WorkQueue {
  readonly #work: (key: string) => Promise<void>;
  readonly #workers: number;
  readonly #hooks: WorkQueueHooks;
  readonly #baseMs: number;
  readonly #maxMs: number;
  /** Keys that wait, in order, with the instant since when. */
  readonly #queue = new Map<string, number>();
  readonly #active = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(
    work: (key: string) => Promise<void>,
    hooks: WorkQueueHooks,
    { workers = 4, baseMs = 50, maxMs = 10_000 } = {},
  ) {
    this.#work = work;
    this.#hooks = hooks;
    this.#workers = workers;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  add(key: string): void {
    if (this.#stopped || this.#queue.has(key)) return;
    this.#queue.set(key, performance.now());
    this.#hooks.depth(this.#queue.size);
    queueMicrotask(() => this.#next());
  }

  #addLater(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.add(key);
      },
      Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(failures, 30)),
    );
    this.#timers.add(timer);
  }

  #next(): void {
    if (this.#stopped || this.#active.size >= this.#workers) return;
    for (const [key, since] of this.#queue) {
      if (this.#active.has(key)) continue;
      this.#queue.delete(key);
      this.#active.add(key);
      this.#hooks.depth(this.#queue.size);
      this.#hooks.waited((performance.now() - since) / 1000);
      this.#work(key)
        .then(
          () => this.#failures.delete(key),
          () => this.#addLater(key),
        )
        .finally(() => {
          this.#active.delete(key);
          this.#next();
        });
      if (this.#active.size >= this.#workers) return;
    }
  }

  /** No more work begins; resolves when what is worked on is done. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const until = performance.now() + graceMs;
    while (this.#active.size > 0 && performance.now() < until)
      await new Promise((done) => setTimeout(done, 10));
  }
}
