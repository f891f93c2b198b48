import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { countTests, formatCounts } from './count-tests.ts';

const directory = mkdtempSync(join(tmpdir(), 'faultline-counts-'));
afterAll(() => rmSync(directory, { recursive: true }));

function report(success: boolean, ...files: [status: string, ...tests: string[]][]): string {
  const path = join(directory, 'report.json');
  const testResults = files.map(([status, ...tests], i) => ({
    name: `${i}.test.ts`,
    status,
    assertionResults: tests.map((test) => ({ status: test })),
  }));
  writeFileSync(path, JSON.stringify({ success, testResults }));
  return path;
}

describe('countTests', () => {
  it('counts passed, failed and all kinds of skipped', () => {
    const path = report(
      false,
      ['failed', 'passed', 'failed', 'pending'],
      ['passed', 'passed', 'todo', 'skipped'],
    );
    expect(countTests(path, 1)).toEqual({ passed: 2, failed: 1, skipped: 3 });
  });

  it('counts a file that did not load as one failure', () => {
    expect(countTests(report(false, ['failed'], ['passed', 'passed']), 1)).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
    });
  });

  it.each([
    ['exits non-zero although every test passed', report(true, ['passed', 'passed']), 1],
    ['was killed', report(true, ['passed', 'passed']), undefined],
    ['wrote no report', join(directory, 'none.json'), 0],
  ])('counts one failure when Vitest %s', (_, path, exitCode) => {
    expect(countTests(path, exitCode).failed).toBe(1);
  });

  it('counts one failure when the report says that the run was no success', () => {
    expect(countTests(report(false, ['passed', 'passed']), 0)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it('formats the closing line', () => {
    expect(formatCounts({ passed: 12, failed: 0, skipped: 3 })).toBe('12 passed, 0 failed, 3 skipped');
  });
});
