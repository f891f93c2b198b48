import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundles, faultline, onlyBundle, remains, SHORT, verdictOf } from './faultline.ts';

/** A guardrails file with a freeze file beside it. */
function guardrails(spec: string): { file: string; freeze: string } {
  const directory = bundles();
  const file = join(directory, 'guardrails.yaml');
  writeFileSync(
    file,
    `apiVersion: faultline.dev/v1\nkind: Guardrails\nspec: { freezeFile: freeze, ${spec} }\n`,
  );
  return { file, freeze: join(directory, 'freeze') };
}

describe('guardrails', () => {
  it('keep a fault from acting that would take more than they allow: unknown, and it did not act', async () => {
    const out = bundles();
    const { file } = guardrails('blastRadius: { pods: 0 }');
    const { code, stdout } = await faultline(['run', SHORT, '--out', out, '--guardrails', file]).ended;
    const verdict = verdictOf(onlyBundle(out));
    expect([code, verdict.verdict]).toEqual([2, 'unknown']);
    expect(verdict.run.outcomeReason).toMatch(
      /it would take 1 pods, and spec\.blastRadius\.pods is 0: rabbitmq/,
    );
    expect(stdout).not.toMatch(/effect seen/);
    const journal = readFileSync(join(onlyBundle(out), 'journal.ndjson'), 'utf8');
    expect(journal).toMatch(
      /"type":"fault\.impact".*"pods":\["rabbitmq"\]|"pods":\["rabbitmq"\].*"type":"fault\.impact"/,
    );
    expect(journal).not.toMatch(/"type":"fault\.injected"/);
    expect(remains()).toEqual([]);
  });

  it('stop a run that is frozen in its middle: unknown, undone', async () => {
    const out = bundles();
    const { file, freeze } = guardrails('');
    const run = faultline(['run', SHORT, 'steady-control', '--out', out, '--guardrails', file]);
    await run.says(/effect seen/);
    writeFileSync(freeze, '');
    const { code, stdout } = await run.ended;
    expect(stdout).toMatch(/no other scenario is run/);
    expect(stdout).toMatch(/frozen: .*freeze exists: remove it[\s\S]*reverted[\s\S]*effect gone/);
    expect([code, verdictOf(onlyBundle(out)).run.outcome]).toEqual([2, 'aborted']);
    expect(remains()).toEqual([]);
    const again = await faultline(['run', SHORT, '--out', out, '--guardrails', file]).ended;
    expect(again).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/frozen: .*freeze exists: remove it/),
    });
    expect(remains()).toEqual([]);
  });

  it('that are none are refused with line and field', async () => {
    const { file } = guardrails('blastRadius: { pods: many }');
    const { code, stderr } = await faultline(['plan', SHORT, '--guardrails', file]).ended;
    expect([code, stderr]).toEqual([
      64,
      expect.stringMatching(/guardrails\.yaml:3: spec\.blastRadius\.pods/),
    ]);
  });
});
