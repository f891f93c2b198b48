/**
 * Reads k6's output while it grows, for the live view and the abort conditions. Each call looks only at what was
 * written since the call before, and only at one of the twelve lines of a request.
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

const ITERATION = Buffer.from('{"metric":"iteration_duration","type":"Point"');
const DROPPED = Buffer.from('{"metric":"dropped_iterations","type":"Point"');
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

export class LiveTail {
  private readonly file: string;
  private position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  private readonly streams = new Map<string, Counts>();
  private readonly total = none();
  private lastCall = performance.now();

  constructor(file: string) {
    this.file = file;
  }

  /** Zeros before k6 has written anything. Not to be called again before it is done. */
  async read(): Promise<LiveLoad> {
    await this.advance();
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

  private async advance(): Promise<void> {
    const handle = await open(this.file).catch(() => undefined);
    if (!handle) return;
    try {
      for (;;) {
        const { bytesRead } = await handle.read(this.chunk, 0, CHUNK_BYTES, this.position);
        if (bytesRead === 0) return;
        this.position += bytesRead;
        const data = Buffer.concat([this.rest, this.chunk.subarray(0, bytesRead)]);
        const end = data.lastIndexOf(NEWLINE) + 1;
        this.scan(data.subarray(0, end));
        this.rest = Buffer.from(data.subarray(end));
      }
    } finally {
      await handle.close();
    }
  }

  private scan(lines: Buffer): void {
    for (const line of find(lines, ITERATION)) {
      const [, value, scenario, record] =
        /"value":([-\d.e+]+),"tags":\{"scenario":"([^"]+)"\},"metadata":\{"r":"([^"]+)"/.exec(line) ?? [];
      if (value === undefined || scenario === undefined || record === undefined) continue;
      const counts = this.of(scenario);
      counts.sent += 1;
      if (record.split(' ')[2]?.[0] !== 'o') counts.failed += 1;
      counts.window.push(Number(value));
    }
    for (const line of find(lines, DROPPED)) {
      const scenario = /"scenario":"([^"]+)"/.exec(line)?.[1];
      if (scenario !== undefined) this.of(scenario).dropped += 1;
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

function* find(lines: Buffer, start: Buffer): Generator<string> {
  for (let at = lines.indexOf(start); at >= 0; ) {
    const end = lines.indexOf(NEWLINE, at);
    yield lines.toString('latin1', at, end);
    at = lines.indexOf(start, end);
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
