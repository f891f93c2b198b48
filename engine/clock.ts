/** Monotonic milliseconds since the run's origin, and the wall clock at that origin. Set once: a stepped wall clock moves nothing. */
export class RunClock {
  private originMonotonic = performance.now();
  private originWall = Date.now();

  /** Makes a wall instant (ms since the epoch) the origin: the instant at which the load began by its own clock. */
  setOrigin(wallMs: number): void {
    const now = performance.now();
    this.originMonotonic = now - (Date.now() - wallMs);
    this.originWall = wallMs;
  }

  now(): number {
    return performance.now() - this.originMonotonic;
  }

  /** Milliseconds since the epoch of the origin. */
  get originWallMs(): number {
    return this.originWall;
  }

  wallOf(t: number): Date {
    return new Date(this.originWall + t);
  }
}
