/** Joins what clients sent (requests.parquet) with what the tap saw processed into the rows of ledger.parquet. */
import { setTimeout as sleep } from 'node:timers/promises';
import { imageName, MANIFEST_TYPES } from '../../base/image-name.ts';
import type { LedgerRow } from '../../evidence/tables.ts';
import type { Processed } from '../../targets/tap.ts';
import type { RunClock } from '../clock.ts';

export interface SentEvent {
  event_id: string;
  stream: string;
  phase: string;
  sent_us: number;
  answered_us: number | null;
  status: number | null;
}

/** What was processed before the run's origin belongs to the harness's preparation (deploying, warming up), not to the ledger. */
export function ledgerRows(
  sent: SentEvent[],
  processed: ReadonlyMap<string, Processed>,
  clock: RunClock,
): LedgerRow[] {
  const toUs = (wallMs: number) => Math.round((wallMs - clock.originWallMs) * 1000);
  const outcome = (p: Processed | undefined) => ({
    processed: p?.events ?? 0,
    first_processed_us: p ? toUs(p.firstWallMs) : null,
    result: p?.result ?? null,
    artifact: p?.artifact ?? null,
    artifact_found: null,
  });
  const rows: LedgerRow[] = sent.map((s) => ({
    ...s,
    accepted: s.status !== null && s.status >= 200 && s.status < 300,
    ...outcome(processed.get(s.event_id)),
  }));
  const known = new Set(sent.map((s) => s.event_id));
  for (const [eventId, p] of processed) {
    if (known.has(eventId) || p.firstWallMs < clock.originWallMs) continue;
    rows.push({
      event_id: eventId,
      stream: null,
      phase: null,
      sent_us: null,
      answered_us: null,
      status: null,
      accepted: false,
      ...outcome(p),
    });
  }
  return rows;
}

/** Asks the registry itself for every image that the platform says it pushed: a claim is no evidence. Fills `artifact_found`. */
export async function verifyArtifacts(rows: LedgerRow[], registryUrl: string): Promise<void> {
  const queue = rows.filter((r) => r.artifact !== null);
  const worker = async () => {
    for (let row = queue.pop(); row; row = queue.pop()) {
      const { path, reference } = imageName(row.artifact as string);
      row.artifact_found = await isThere(`${registryUrl}/v2/${path}/manifests/${reference}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

const TRIES = 3;
const AGAIN_MS = 250;
/** For all tries together: a registry that hangs is not to hold up the run for each image anew. */
const ANSWER_WITHIN_MS = 5000;

/** @returns null: not known. Only 404 proves that it is not there; a registry that is busy, or wants to know who asks, says nothing of it */
async function isThere(manifestUrl: string): Promise<boolean | null> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const headers = { accept: MANIFEST_TYPES };
  for (let tries = 1; tries <= TRIES; tries++) {
    if (tries > 1) await sleep(AGAIN_MS * (tries - 1));
    const answer = await fetch(manifestUrl, { method: 'HEAD', headers, signal }).catch(() => undefined);
    if (answer?.status === 200) return true;
    if (answer?.status === 404) return false;
  }
  return null;
}
