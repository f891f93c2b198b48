/** What became of the events that clients sent, heard from the platform's own results and not from its metrics. */

/** How the platform's debt for one event ended. Source: PLATFORM.md, "Events out". */
export type Result = 'completed' | 'failed' | 'ready' | 'success' | 'error';

export interface Processed {
  /** How often the platform did the work: terminal events that it published, or builds that it finished. More than one is a duplicate. */
  events: number;
  /** Milliseconds since the epoch when the first was seen. */
  firstWallMs: number;
  result: Result;
  /** What the platform claims to have pushed: `repository@digest`, or `repository:tag` where it names no digest. */
  artifact: string | undefined;
}

export interface Tap {
  /** By id of the causing CloudEvent. */
  processed: ReadonlyMap<string, Processed>;
  /** What came and was not understood. */
  garbled: string[];
  /** It hears what comes; when not, nobody knows what was missed. */
  listening(): boolean;
  close(): Promise<void>;
}
