/** A set of keys of bounded size that forgets the oldest: what was finished recently. */
export class Recent<V> {
  readonly #limit: number;
  readonly #values = new Map<string, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    while (this.#values.size > this.#limit) {
      const oldest = this.#values.keys().next();
      if (oldest.done) return;
      this.#values.delete(oldest.value);
    }
  }

  get size(): number {
    return this.#values.size;
  }
}
