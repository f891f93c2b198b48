/** How the harness speaks to one platform: its functions are made and called, and it is heard what became of what clients sent. */
import type { Tap } from './tap.ts';

export interface WantedFunction {
  name: string;
  minScale: number;
  maxScale: number;
  targetConcurrency: number;
}

export interface Front {
  /** Environment of the load scripts (scenarios/k6/main.ts): where requests go, and what they look like. */
  load: Record<string, string>;
  /** Asks for a function; that it was taken is all that is known then. @throws HarnessError when it is not taken */
  deploy(wanted: WantedFunction, runId: string): Promise<void>;
  /** Phase of a function (PLATFORM.md, "Life of a function"), or why there is none. */
  phase(name: string): Promise<string>;
  /** One call over HTTP, as the load makes them. */
  call(name: string, id: string): Promise<{ status: number; text: string }>;
  /** @throws Error when the first connection fails */
  tap(): Promise<Tap>;
}
