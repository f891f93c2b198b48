import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundles, faultline, onlyBundle, remains, SHORT, verdictOf } from './faultline.ts';

const CLI = join(import.meta.dirname, '../bin/faultline');

/** Ends a command whose readers are gone before it says a word. */
async function unheard(...args: string[]): Promise<number | null> {
  const command = faultline(args);
  command.process.stdout?.destroy();
  command.process.stderr?.destroy();
  return (await command.ended).code;
}

describe('a command whose reader is gone', () => {
  it('is refused as ever', async () => {
    expect(await unheard('judge', bundles())).toBe(64);
    expect(await unheard('plan', 'no-such-scenario')).toBe(64);
    // Its reader goes in the middle of what it says.
    const { status, stderr } = spawnSync('bash', [
      '-c',
      `"${CLI}" plan --time-scale 0 "${SHORT}" 2>&1 | true; exit $PIPESTATUS`,
    ]);
    expect([status, String(stderr)]).toEqual([64, '']);
  });

  it('ends quietly when all that it does is print', () => {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `"${CLI}" plan --json steady-control builds-builder-killed | head -c 1; exit $PIPESTATUS`],
      { timeout: 60_000 },
    );
    expect([status, String(stderr)]).toEqual([0, '']);
  });

  it('runs on to its verdict', async () => {
    const out = bundles();
    const run = faultline(['run', SHORT, '--out', out]);
    await run.says(/\[1\/1\]/);
    run.process.stdout?.destroy();
    run.process.stderr?.destroy();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // To be over soon; it says so, and nobody hears it.
    run.process.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    expect(verdictOf(onlyBundle(out)).verdict).not.toBe('pass');
    expect(remains()).toEqual([]);
  });
});

it('says all of it to a reader that is slow', () => {
  const file = join(bundles(), 'plans.json');
  const plans = `"${CLI}" plan --json --seed 1 steady-control builds-builder-killed builds-rabbitmq-partition invocations-steady`;
  const { status, stdout } = spawnSync(
    'bash',
    ['-c', `${plans} >"${file}"; ${plans} | (sleep 3; cat); exit $PIPESTATUS`],
    { maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
  );
  // More than the 64 KiB that a pipe takes at once. The plans differ in their ids and times alone.
  expect(stdout.length).toBeGreaterThan(150_000);
  expect([status, stdout.length]).toEqual([0, readFileSync(file).length]);
});
