/** `faultline judge` of a bundle that can not be judged any more: what it said before does not stay as if it could. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EvidenceError, HarnessError } from '../base/errors.ts';
import { FILES } from '../evidence/tables.ts';
import { writeSampleBundle } from '../reports/sample.ts';
import * as judges from '../slo/judge/index.ts';
import { judgeCommand } from './judge.ts';

vi.mock('../slo/judge/index.ts', { spy: true });
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'faultline-judge-'));
  await writeSampleBundle(dir, { scale: 0.1 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true });
});

const run = async () => judgeCommand.handler({ bundle: dir, json: false } as never);
const judged = () => existsSync(join(dir, FILES.verdict));

it('takes an old verdict away when the bundle can not be judged, and says why', async () => {
  await writeFile(join(dir, FILES.plan), '{"version": 2}');
  const error = await run().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(EvidenceError);
  expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining('plan.json: run: ') });
  expect(judged()).toBe(false);
  // Nothing was judged before: the same error.
  await unlink(join(dir, FILES.plan));
  await expect(run()).rejects.toThrow('no plan.json');
});

it('leaves it when the fault is not the bundle’s', async () => {
  vi.mocked(judges.judge).mockRejectedValueOnce(new HarnessError('no memory'));
  await expect(run()).rejects.toThrow(HarnessError);
  expect(judged()).toBe(true);
});
