import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { markedProcesses } from '../chaos/undo/marked.ts';
import { workRootPath } from '../engine/run-directories.ts';
import { bundles, faultline, onlyBundle, remains, SHORT, verdictOf } from './faultline.ts';

/** SIGKILLs the processes of the only run whose command line matches. */
function killComponent(bundleRoot: string, pattern: RegExp): void {
  const [runId] = readdirSync(bundleRoot);
  const victims = markedProcesses(String(runId)).filter((p) => pattern.test(p.command));
  expect(victims.length).toBeGreaterThan(0);
  for (const { pid } of victims) process.kill(pid, 'SIGKILL');
}

function workDirectory(runId: string): string {
  return join(workRootPath(), runId);
}

async function runAndKill(pattern: RegExp, when: RegExp) {
  const out = bundles();
  const run = faultline(['run', SHORT, '--out', out]);
  await run.says(when);
  killComponent(out, pattern);
  const ended = await run.ended;
  expect(remains()).toEqual([]);
  return { ...ended, verdict: verdictOf(onlyBundle(out)) };
}

describe('bad days end as unknown or error, with the reason, and leave nothing behind', () => {
  it('Prometheus is killed', async () => {
    const { code, verdict } = await runAndKill(/prometheus --config/, /phase inject/);
    expect([code, verdict.verdict]).toEqual([2, 'unknown']);
    expect(verdict.run.outcomeReason).toMatch(/prometheus ended \(SIGKILL\)/);
  });

  it('Alertmanager is killed', async () => {
    const { code, verdict } = await runAndKill(/alertmanager/, /phase baseline/);
    expect([code, verdict.verdict]).toEqual([2, 'unknown']);
    expect(verdict.run.outcomeReason).toMatch(/alertmanager ended/);
  });

  it('k6 is killed', async () => {
    const { code, verdict } = await runAndKill(/k6 run/, /phase baseline/);
    expect([code, verdict.verdict]).toEqual([2, 'unknown']);
    expect(verdict.run.outcomeReason).toMatch(/load generator ended/);
  });

  it('the registry’s throttle proxy, a part of the harness, is killed: error', async () => {
    const { code, verdict } = await runAndKill(/throttle\/proxy-process/, /phase baseline/);
    expect([code, verdict.verdict]).toEqual([3, 'error']);
  });

  it('RabbitMQ is killed for good: unknown', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/phase baseline/);
    const [runId] = readdirSync(out);
    // It dies, and can not start again: its configuration is no longer one.
    writeFileSync(
      join(workDirectory(String(runId)), 'rabbitmq', 'rabbitmq.conf'),
      'no such = setting = at all\n',
    );
    killComponent(out, /beam\.smp/);
    const { code } = await run.ended;
    const verdict = verdictOf(onlyBundle(out));
    expect([verdict.verdict, code]).not.toContain('pass');
    expect(verdict.run.outcomeReason ?? '').toMatch(/rabbitmq/);
    expect(remains()).toEqual([]);
  });

  it('a port is taken after it was chosen: the reason is said, and nothing is left', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    const config = await vi.waitFor(
      () => {
        const [runId] = readdirSync(out);
        return readFileSync(join(workDirectory(String(runId)), 'rabbitmq', 'rabbitmq.conf'), 'utf8');
      },
      { timeout: 20_000, interval: 10 },
    );
    // RabbitMQ needs seconds until it listens: somebody else is faster.
    const port = Number(/listeners\.tcp\.platform = 127\.0\.0\.1:(\d+)/.exec(config)?.[1]);
    const squatter = createServer().listen(port, '127.0.0.1');
    try {
      const { code, stdout, stderr } = await run.ended;
      expect(code).toBe(3);
      expect(`${stdout}${stderr}`).toMatch(
        /rabbitmq ended by itself while it was starting[\s\S]*could_not_start_listener/,
      );
      expect(remains()).toEqual([]);
    } finally {
      squatter.close();
    }
  });

  it('an abort condition ends the run early: undone, fail, and it says why', async () => {
    const directory = bundles();
    const file = join(directory, 'abort.yaml');
    const abort = '  abort:\n    - { stream: builds, errorShareAbove: 0.5, for: 1m, phases: [inject] }\n';
    writeFileSync(file, readFileSync(SHORT, 'utf8').replace('inject: 6m', 'inject: 20m') + abort);
    const out = bundles();
    const { code, stdout } = await faultline(['run', file, '--out', out]).ended;
    expect(stdout).toMatch(/ABORT: 100 % of builds failed in inject[\s\S]*reverted[\s\S]*effect gone/);
    expect(verdictOf(onlyBundle(out)).run).toMatchObject({
      outcome: 'aborted',
      outcomeReason: expect.stringMatching(/above 50 %/),
    });
    expect(code).toBe(1);
    expect(remains()).toEqual([]);
  });

  describe('the disk is full', () => {
    let mounted: string | undefined;
    afterEach(() => {
      if (mounted) execFileSync('umount', [mounted]);
      mounted = undefined;
    });
    it('error, and nothing left behind', async () => {
      const disk = join(bundles(), 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk]);
      mounted = disk;
      const { code, stdout, stderr } = await faultline(['run', SHORT, '--out', disk]).ended;
      expect(code).toBe(3);
      expect(`${stdout}${stderr}`).toMatch(/ENOSPC|no space left/i);
      expect(remains()).toEqual([]);
    });
  });

  it('a torn journal is judged, and is no pass', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/phase inject/);
    run.process.kill('SIGKILL');
    await run.ended;
    await expect.poll(remains, { timeout: 5000 }).toEqual([]);
    const bundle = onlyBundle(out);
    const judged = await faultline(['judge', bundle]).ended;
    expect(judged.code).toBe(3);
    expect(readFileSync(join(bundle, 'logs/reaper.log'), 'utf8')).toContain('"failures":[]');
    expect(await faultline(['report', bundle]).ended).toMatchObject({ code: 0 });
  });
});
