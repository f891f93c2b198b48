import { readFileSync } from 'node:fs';
import { z } from 'zod';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of Vitest's JSON report that is counted. */
const Report = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

/**
 * Counts a Vitest JSON report. A file that failed as a whole (it did not load, a hook broke) counts as one failed test
 * when none of its tests failed; so does a run that was not a success for a reason that no test shows.
 *
 * @param exitCode of Vitest; undefined when it was killed
 */
export function countTests(reportPath: string, exitCode: number | undefined): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const report = readReport(reportPath);
  for (const file of report?.testResults ?? []) {
    let failedHere = 0;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed++;
      else if (status === 'failed') failedHere++;
      else counts.skipped++;
    }
    if (failedHere === 0 && file.status === 'failed') failedHere = 1;
    counts.failed += failedHere;
  }
  if (counts.failed === 0 && (exitCode !== 0 || report?.success !== true)) counts.failed = 1;
  return counts;
}

function readReport(path: string): z.infer<typeof Report> | undefined {
  try {
    return Report.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** `N passed, N failed, N skipped` */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
