import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EvidenceError, RefusedError } from '../base/errors.ts';
import { Run } from '../engine/run.ts';
import { makeRunDirectories } from '../engine/run-directories.ts';
import { writeSampleBundle } from '../reports/sample.ts';
import { samplePlan } from '../reports/sample-plan.ts';
import { judge } from '../slo/judge/index.ts';
import { prepare } from './prepare.ts';
import { runCommand } from './run.ts';

vi.mock('./prepare.ts', { spy: true });
vi.mock('./sources.ts', () => ({ checkSources: () => ({}), sourceOptions: (y: unknown) => y }));
vi.mock('../tools/resolve.ts', () => ({ resolveTool: async () => ({ path: 'k6' }) }));
vi.mock('../engine/run-directories.ts', { spy: true });
vi.mock('../slo/judge/index.ts', { spy: true });

const SAMPLE = { variant: 'passing', scale: 0.1, taint: '', scenario: '' } as const;

let out: string;
let said: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'faultline-run-'));
  said = '';
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += text;
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(out, { recursive: true, force: true });
});

/** Runs scenarios without a platform: each leaves a bundle whose verdict is a pass, unless `execute` ends otherwise. */
async function run(...executes: (() => Promise<void>)[]): Promise<typeof process.exitCode> {
  const scenarios = executes.map((_, i) => ({
    file: { value: {} },
    makePlan: () => samplePlan({ ...SAMPLE, scenario: `number-${i}` }),
  }));
  vi.mocked(prepare).mockResolvedValue({
    ...{ scenarios, target: { name: 'local' }, abilities: {}, guardrails: { freezeFiles: [] }, loaded: {} },
  } as never);
  let made = 0;
  vi.mocked(makeRunDirectories).mockImplementation(() => {
    const bundle = join(out, `run-${made++}`);
    mkdirSync(bundle);
    return { bundle, logs: bundle, work: out };
  });
  let begun = 0;
  vi.spyOn(Run.prototype, 'execute').mockImplementation(async () => {
    await writeSampleBundle(join(out, `run-${begun}`), { ...SAMPLE, scenario: `number-${begun}` });
    await executes[begun++]?.();
  });
  vi.mocked(judge).mockImplementation(async (bundle) =>
    JSON.parse(readFileSync(join(bundle, 'verdict.json'), 'utf8')),
  );
  await runCommand.handler({ out, debug: false, _: [], $0: '' } as never);
  return process.exitCode;
}

const well = async () => {};
const throws = (error: Error) => async () => {
  throw error;
};

it('says the verdicts that there are when a later scenario can not be run, and ends as an error', async () => {
  expect(await run(well, well, throws(new EvidenceError('no such table')), well)).toBe(3);
  expect(said).toMatch(/Evidence is missing: no such table/);
  expect(said).toMatch(/^number-0 +✓ pass.*\nnumber-1 +✓ pass/m);
  expect(said).toMatch(/All reports: .*index\.html/);
  expect(said).not.toContain('[4/4]');
});

it('ends as an error where no scenario came to a verdict', async () => {
  expect(await run(throws(new EvidenceError('no such table')))).toBe(3);
  expect(said).not.toContain('run time');
});

it('is refused where nothing was begun', async () => {
  const nowhere = new RefusedError([{ file: 'XDG_STATE_HOME', message: 'expected a directory' }]);
  await expect(run(throws(nowhere), well)).rejects.toBe(nowhere);
});
