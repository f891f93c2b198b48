import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shippedScenarios } from '../engine/catalog.ts';
import { bundles, faultline, onlyBundle, remains, verdictOf } from './faultline.ts';

describe('the harness is tested like a checker', () => {
  it('on the healthy platform every shipped scenario passes', async () => {
    const out = bundles();
    const { code, stdout } = await faultline(['run', ...shippedScenarios().keys(), '--out', out]).ended;
    const verdicts = readdirSync(out, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => verdictOf(join(out, entry.name)));
    expect(
      verdicts.filter((v) => v.verdict !== 'pass').map((v) => [v.run.scenario, v.verdict, v.reasons]),
    ).toEqual([]);
    expect(verdicts).toHaveLength(shippedScenarios().size);
    expect(code, stdout).toBe(0);
    expect(remains()).toEqual([]);
  }, 900_000);

  // Defect -> the scenario that should catch it, and the check that is the right reason.
  it.each([
    ['ack-before-build', 'builds-builder-killed', /^ledger\/lost$/],
    ['no-registry-retry', 'builds-registry-throttled', /^objective\/build-success\//],
    ['forgets-scale-to-zero', 'scale-to-zero-burst', /^objective\/scale-to-zero\//],
    ['metrics-lie', 'invocations-steady', /^telemetry\/invocations-failed$/],
    ['receiver-accepts-without-confirm', 'builds-rabbitmq-partition', /^ledger\/lost$/],
    ['slow-recovery', 'builds-builder-killed', /^recovery\/builds-back$/],
  ])('finds %s with %s, for the right reason', async (defect, scenario, reason) => {
    const out = bundles();
    const { code, stdout } = await faultline(['run', scenario, '--defect', defect, '--out', out]).ended;
    expect(code, stdout).toBe(1);
    const failed = verdictOf(onlyBundle(out)).checks.filter((c) => c.verdict === 'fail' && !c.informational);
    expect(failed.map((c) => c.id)).toContainEqual(expect.stringMatching(reason));
    expect(remains()).toEqual([]);
  });
});
