import { describe, expect, it } from 'vitest';
import { bundles, faultline, onlyBundle, remains, SHORT, verdictOf } from './faultline.ts';

/** Instants after the start, seconds: while services start, at the load's begin, in mid-fault, in recovery. bench/kill.ts takes random ones. */
const INSTANTS = [1, 5, 14, 19, 23];
/** Bound of the issue: within 5 s no process, rule, port or directory of the run is left. */
const WITHIN_MS = 5000;

describe('SIGKILL of the harness', () => {
  it.each(INSTANTS)('after %i s leaves nothing behind', async (seconds) => {
    const run = faultline(['run', SHORT, '--out', bundles()]);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    // bin/faultline execs node, so this is the harness itself; its children are not in its process group.
    run.process.kill('SIGKILL');
    expect(await run.ended).toMatchObject({ signal: 'SIGKILL' });
    await expect.poll(remains, { timeout: WITHIN_MS, interval: 100 }).toEqual([]);
  });
});

describe('Ctrl-C', () => {
  it('once: stops in order, undoes, judges what there is as unknown, exit 130', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/effect seen/);
    run.process.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/reverted[\s\S]*effect gone/);
    expect(verdictOf(onlyBundle(out))).toMatchObject({ verdict: 'unknown', run: { outcome: 'interrupted' } });
    expect(remains()).toEqual([]);
  });

  it('while the target comes up: undoes, exit 130', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/\[1\/1\]/);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    run.process.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    expect(verdictOf(onlyBundle(out)).verdict).not.toBe('pass');
    expect(remains()).toEqual([]);
  });

  it('told to a whole group, and handed on in it: is one, stops in order', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/effect seen/);
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGTERM'] as const) {
      run.process.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('UNKNOWN');
    expect(stdout).not.toContain('Undoing everything at once');
    expect(remains()).toEqual([]);
  });

  it('twice: undoes at once, exit 130', async () => {
    const run = faultline(['run', SHORT, '--out', bundles()]);
    await run.says(/effect seen/);
    run.process.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    run.process.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    await expect.poll(remains, { timeout: WITHIN_MS, interval: 100 }).toEqual([]);
  });
});
