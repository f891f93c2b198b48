/**
 * Refuses one request in each so many, at a place among them that nobody can know beforehand and that is the same in every run. It is
 * what one client sees of an account's limit that the account's other clients use up: how fast it asks itself makes no difference.
 */
export class RefusedShare {
  /** Of so many requests one after the other, from whichever on, at least one is refused. */
  static surelyAmong = (oneIn: number): number => 2 * oneIn - 1;

  private readonly oneIn: number;
  private asked = 0;
  private refusedAt = 0;

  /** @param oneIn a whole number, 2 and more */
  constructor(oneIn: number) {
    this.oneIn = oneIn;
  }

  take(): boolean {
    const place = this.asked % this.oneIn;
    if (place === 0) this.refusedAt = mixed(this.asked / this.oneIn) % this.oneIn;
    this.asked++;
    return place !== this.refusedAt;
  }
}

/** A 32-bit number in which every bit of `n` has its part. Source: the finalizer of MurmurHash3 (Appleby, 2011), public domain. */
function mixed(n: number): number {
  let h = (n + 1) * 0x9e3779b1;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
