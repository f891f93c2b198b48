import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { LedgerRow } from '../../evidence/tables.ts';
import type { Processed } from '../../targets/tap.ts';
import { RunClock } from '../clock.ts';
import { ledgerRows, type SentEvent, verifyArtifacts } from './ledger.ts';

const clock = new RunClock();
clock.setOrigin(1_000_000);
const sent = (event_id: string, status: number | null): SentEvent => ({
  event_id,
  stream: 'builds',
  phase: 'baseline',
  sent_us: 1000,
  answered_us: 2000,
  status,
});
const processed = (wallMs: number, events = 1): Processed => ({
  events,
  firstWallMs: wallMs,
  result: 'completed',
  artifact: undefined,
});

describe('ledgerRows', () => {
  const rows = ledgerRows(
    [sent('done', 202), sent('lost', 202), sent('twice', 202), sent('refused', 503), sent('silent', 0)],
    new Map([
      ['done', processed(1_000_500)],
      ['twice', processed(1_000_600, 2)],
      ['silent', processed(1_000_700)],
      ['nobody', processed(1_000_800)],
      ['deploy', processed(999_000)],
    ]),
    clock,
  );
  const row = (id: string) => rows.find((r) => r.event_id === id);
  it('accepts 2xx only', () =>
    expect(rows.filter((r) => r.accepted).map((r) => r.event_id)).toEqual(['done', 'lost', 'twice']));
  it('counts every publication of a result', () =>
    expect([row('done')?.processed, row('lost')?.processed, row('twice')?.processed]).toEqual([1, 0, 2]));
  it('keeps what was processed though it was not accepted', () =>
    expect(row('silent')).toMatchObject({ accepted: false, processed: 1, first_processed_us: 700_000 }));
  it('shows what nobody sent', () => expect(row('nobody')).toMatchObject({ stream: null, processed: 1 }));
  it('leaves the harness’s own preparation out', () => expect(row('deploy')).toBeUndefined());
});

describe('verifyArtifacts', () => {
  it('believes the registry, not the claim', async () => {
    const registry = createServer((request, response) =>
      response.writeHead(request.url?.includes('there') ? 200 : 404).end(),
    );
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    const claim = (artifact: string | null) =>
      ({ ...ledgerRows([sent('a', 202)], new Map(), clock)[0], artifact }) as never;
    const rows = [claim('127.0.0.1:5000/fn/there@sha256:1'), claim('fn/gone@sha256:2'), claim(null)] as {
      artifact_found: boolean | null;
    }[];
    await verifyArtifacts(rows as never, url);
    registry.close();
    registry.closeAllConnections();
    await verifyArtifacts([], url);
    expect(rows.map((r) => r.artifact_found)).toEqual([true, false, null]);
    const unasked = [claim('fn/there@sha256:1')] as { artifact_found: boolean | null }[];
    await verifyArtifacts(unasked as never, 'http://127.0.0.1:1');
    expect(unasked[0]?.artifact_found).toBeNull();
  });

  it('asks for what was pushed, whatever its form and however it is named', async () => {
    const index = 'application/vnd.oci.image.index.v1+json';
    const digest = `sha256:${'a'.repeat(64)}`;
    const there = new Set([
      `/v2/ns/fn/manifests/${digest}`,
      '/v2/ns/fn/manifests/latest',
      '/v2/fn/manifests/7',
    ]);
    // As Distribution: of a manifest in a form that is not accepted it says 404.
    const registry = createServer((request, response) => {
      const known = there.has(request.url ?? '') && request.headers.accept?.includes(index);
      response.writeHead(known ? 200 : 404).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    const names = [
      `registry:5000/ns/fn@${digest}`,
      `registry:5000/ns/fn:7@${digest}`,
      'localhost/ns/fn',
      'ns/fn',
      'fn:7',
      'registry:5000/fn:7',
      'registry:5000/ns/fn:gone',
    ];
    const rows = names.map(
      (artifact) => ({ ...ledgerRows([sent('a', 202)], new Map(), clock)[0], artifact }) as LedgerRow,
    );
    await verifyArtifacts(rows, url);
    registry.close();
    registry.closeAllConnections();
    expect(rows.filter((r) => !r.artifact_found).map((r) => r.artifact)).toEqual([
      'registry:5000/ns/fn:gone',
    ]);
  });

  it('takes only 404 for a lost image, and asks again when the answer is another', async () => {
    const asked = new Map<string, number>();
    const registry = createServer((request, response) => {
      const path = request.url ?? '';
      const times = (asked.get(path) ?? 0) + 1;
      asked.set(path, times);
      const status = path.includes('busy') && times < 3 ? 429 : path.includes('closed') ? 401 : 200;
      response.writeHead(path.includes('gone') ? 404 : status).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    const rows = ['fn/busy', 'fn/closed', 'fn/gone'].map(
      (name) =>
        ({ ...ledgerRows([sent('a', 202)], new Map(), clock)[0], artifact: `${name}@sha256:1` }) as LedgerRow,
    );
    await verifyArtifacts(rows, url);
    registry.close();
    registry.closeAllConnections();
    expect(rows.map((r) => r.artifact_found)).toEqual([true, null, false]);
    expect([...asked.values()].toSorted()).toEqual([1, 3, 3]);
  });
});
