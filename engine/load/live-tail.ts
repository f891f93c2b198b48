/**
 * Reads k6's records (tools/k6/records) while they grow, for the live view and the abort conditions. Each call looks only
 * at what was written since the call before.
 */
import { open } from 'node:fs/promises';

export interface LiveStats {
  /** Requests that were answered or failed, and those of them that failed or timed out; since the start. */
  sent: number;
  failed: number;
  /** Requests that k6 had no VU for; since the start. */
  dropped: number;
  /**
   * 95th percentile, ms from sending (not from the intended start), of the requests that ended since the call before;
   * when none did, the value of that call; 0 before any did.
   */
  p95Ms: number;
  /** Requests a second that ended since the call before. */
  rate: number;
}

/** Totals, and the same by stream. */
export type LiveLoad = LiveStats & { streams: Record<string, LiveStats> };

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 20;

interface Counts {
  sent: number;
  failed: number;
  dropped: number;
  p95Ms: number;
  window: number[];
}

const none = (): Counts => ({ sent: 0, failed: 0, dropped: 0, p95Ms: 0, window: [] });

interface Place {
  file: string;
  position: number;
  rest: Buffer;
}

export class LiveTail {
  private readonly places: Place[];
  private readonly chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  private readonly streams = new Map<string, Counts>();
  private readonly total = none();
  private lastCall = performance.now();

  /** @param files of records, one of each k6 */
  constructor(files: string[]) {
    this.places = files.map((file) => ({ file, position: 0, rest: Buffer.alloc(0) }));
  }

  /** Zeros before k6 has written anything. Not to be called again before it is done. */
  async read(): Promise<LiveLoad> {
    for (const place of this.places) await this.advance(place);
    const now = performance.now();
    const seconds = Math.max(1e-3, (now - this.lastCall) / 1000);
    this.lastCall = now;
    const { total } = this;
    const streams: Record<string, LiveStats> = {};
    total.sent = total.failed = total.dropped = 0;
    for (const [stream, counts] of this.streams) {
      total.sent += counts.sent;
      total.failed += counts.failed;
      total.dropped += counts.dropped;
      for (const ms of counts.window) total.window.push(ms);
      streams[stream] = take(counts, seconds);
    }
    return { ...take(total, seconds), streams };
  }

  private async advance(place: Place): Promise<void> {
    const handle = await open(place.file).catch(() => undefined);
    if (!handle) return;
    try {
      for (;;) {
        const { bytesRead } = await handle.read(this.chunk, 0, CHUNK_BYTES, place.position);
        if (bytesRead === 0) return;
        place.position += bytesRead;
        const data = Buffer.concat([place.rest, this.chunk.subarray(0, bytesRead)]);
        const end = data.lastIndexOf(NEWLINE) + 1;
        this.scan(data.toString('latin1', 0, end));
        place.rest = Buffer.from(data.subarray(end));
      }
    } finally {
      await handle.close();
    }
  }

  private scan(lines: string): void {
    for (const line of lines.split('\n')) {
      const [scenario, sentUs, doneUs, , , , outcome, , , whole] = line.split('\t');
      if (scenario === undefined || whole !== '.' || outcome === 'end') continue;
      const counts = this.of(scenario);
      if (outcome === 'unsent') {
        counts.dropped += 1;
        continue;
      }
      counts.sent += 1;
      if (outcome !== 'ok') counts.failed += 1;
      counts.window.push((Number(doneUs) - Number(sentUs)) / 1000);
    }
  }

  private of(scenario: string): Counts {
    const stream = scenario.slice(0, scenario.lastIndexOf('__'));
    let counts = this.streams.get(stream);
    if (!counts) {
      counts = none();
      this.streams.set(stream, counts);
    }
    return counts;
  }
}

/** The numbers of the window, which is emptied. */
function take(counts: Counts, seconds: number): LiveStats {
  const sorted = Float64Array.from(counts.window).sort();
  counts.window = [];
  counts.p95Ms = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? counts.p95Ms;
  const { sent, failed, dropped, p95Ms } = counts;
  return { sent, failed, dropped, p95Ms, rate: sorted.length / seconds };
}
