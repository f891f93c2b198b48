/** One reason to stop early, given once; whoever waits is woken. */
export interface StopReason {
  outcome: 'interrupted' | 'aborted';
  reason: string;
  blame?: 'platform' | 'evidence' | 'harness';
}

export class StopSignal {
  private readonly controller = new AbortController();
  reason: StopReason | undefined;

  /** The first reason counts. */
  stop(reason: StopReason): void {
    this.reason ??= reason;
    this.controller.abort(new StoppedError(reason.reason));
  }

  /** Aborted, with a StoppedError, when stopped. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get stopped(): boolean {
    return this.reason !== undefined;
  }

  /** Resolves after `ms`, or at once when stopped. */
  sleep(ms: number): Promise<void> {
    if (this.stopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.controller.signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      this.controller.signal.addEventListener('abort', finish, { once: true });
    });
  }

  /** Throws when stopped: between the steps of bringing a run up. */
  throwIfStopped(): void {
    if (this.reason) throw new StoppedError(this.reason.reason);
  }
}

/** Unwinds a run that is being brought up when it is stopped; never reaches the user. */
export class StoppedError extends Error {}
