import { copyFileSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shippedScenarios } from '../engine/catalog.ts';
import { FILES } from '../evidence/tables.ts';
import { RequestTrace } from '../evidence/traces.ts';
import { bundles, faultline, onlyBundle, remains, SHORT, verdictOf } from './faultline.ts';
import { traceStore } from './trace-store.ts';

describe('a whole run', () => {
  it('passes, writes every file of the bundle, leaves nothing behind, and is judged again to the same bytes', async () => {
    const out = bundles();
    const store = await traceStore();
    const told = ['--traces', store.url, '--spans', store.url];
    const { code, stdout } = await faultline(['run', SHORT, '--out', out, '--seed', '11', ...told]).ended;
    await store.close();
    expect(stdout).toMatch(/short\s+✓ pass/);
    expect(code).toBe(0);
    expect(remains()).toEqual([]);
    const bundle = onlyBundle(out);
    for (const file of Object.values(FILES))
      expect(() => readFileSync(join(bundle, file)), file).not.toThrow(/ENOENT/);

    // Why the slowest build took as long as it did, hop by hop.
    const traces = readFileSync(join(bundle, FILES.traces), 'utf8').split('\n').filter(Boolean);
    const slowest = traces
      .map((line) => RequestTrace.parse(JSON.parse(line)))
      .find(({ stream, phase, why }) => stream === 'builds' && phase === 'baseline' && why === 'slowest');
    expect(slowest?.spans).toMatchObject([
      { service: 'knative-lambda-receiver', name: 'accept', error: false },
      { service: 'knative-lambda-builder', name: 'build', error: false },
    ]);
    const [accept, build] = slowest?.spans ?? [];
    expect(build?.parent).toBe(accept?.id);
    // The clocks are one machine's: what the client waited for holds what the receiver did.
    expect(accept?.durationMs).toBeLessThanOrEqual((slowest?.clientMs ?? 0) + 1);
    expect(readFileSync(join(bundle, FILES.report), 'utf8')).toContain('id="traces"');

    const first = readFileSync(join(bundle, FILES.verdict));
    expect(verdictOf(bundle).run).toMatchObject({ seed: 11, target: 'local', timeScale: 60 });
    // Elsewhere, without the verdict and the report, as on another machine.
    const copy = join(bundles(), 'copy');
    cpSync(bundle, copy, { recursive: true });
    rmSync(join(copy, FILES.verdict));
    const elsewhere = { TZ: 'Pacific/Auckland', LC_ALL: 'tr_TR.UTF-8', HOME: copy, TMPDIR: copy };
    expect((await faultline(['judge', copy], elsewhere).ended).code).toBe(0);
    expect(readFileSync(join(copy, FILES.verdict)).equals(first)).toBe(true);

    // The same bundle without its load's records is no pass.
    rmSync(join(copy, FILES.requests));
    expect((await faultline(['judge', copy]).ended).code).toBe(2);
    copyFileSync(join(bundle, FILES.requests), join(copy, FILES.requests));
    expect((await faultline(['judge', copy]).ended).code).toBe(0);
  });

  it('two at once do not meet', async () => {
    const outs = [bundles(), bundles()];
    const ended = await Promise.all(outs.map((out) => faultline(['run', SHORT, '--out', out]).ended));
    // Two share two cores: what counts is that neither breaks, or ends, the other.
    for (const [i, { code }] of ended.entries()) {
      expect(verdictOf(onlyBundle(outs[i] as string)).run.outcome).toBe('completed');
      expect(code).not.toBe(3);
    }
    expect(remains()).toEqual([]);
  });
});

describe('plan', () => {
  it.each([...shippedScenarios().keys()])(
    '%s: says what happens when, what undoes it, and starts nothing',
    async (name) => {
      const { code, stdout } = await faultline(['plan', name]).ended;
      expect(code).toBe(0);
      expect(stdout).toMatch(/timeline[\s\S]*phase baseline[\s\S]*drain/);
      expect(remains()).toEqual([]);
    },
  );
});

describe('up and down', () => {
  it('keeps the target up, refuses a second one, and takes it down without a trace', async () => {
    // What a test run that was killed together with its reaper left on this machine is not what is looked at here.
    await faultline(['clean']).ended;
    const up = await faultline(['up']).ended;
    expect(up.code).toBe(0);
    const gateway = /gateway\s+(\S+)/.exec(up.stdout)?.[1];
    expect((await fetch(`${gateway}/readyz`)).status).toBe(200);
    expect(await faultline(['up']).ended).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/is up already/),
    });
    expect((await faultline(['clean']).ended).stdout).toMatch(/Nothing was left behind/);
    expect((await fetch(`${gateway}/readyz`)).status).toBe(200);
    expect((await faultline(['down']).ended).code).toBe(0);
    expect(remains()).toEqual([]);
    expect((await faultline(['down']).ended).stdout).toMatch(/No target is up/);
  });

  it('takes down what is still coming up, with what it had not made yet', async () => {
    await faultline(['clean']).ended;
    const up = faultline(['up']);
    await expect
      .poll(() => remains().some((thing) => /^process .* of FAULTLINE_RUN=up:/.test(thing)), {
        timeout: 20_000,
      })
      .toBe(true);
    expect((await faultline(['down']).ended).stdout).toMatch(/The target is down/);
    expect(remains()).toEqual([]);
    expect(await up.ended).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/did not come up: ended/),
    });
    // Nobody goes on with it.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(remains()).toEqual([]);
  });
});
