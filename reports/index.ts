/** The reports of a run, written into its bundle; and one page over several runs. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FILES } from '../evidence/tables.ts';
import { type ReportBundle, readBundle, readOutcome } from './bundle.ts';
import { renderCloudEvent } from './cloudevent.ts';
import { renderOverview } from './html/overview.ts';
import { renderPage } from './html/page.ts';
import { renderJUnit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';

export { readOutcome } from './bundle.ts';
export { SIGN } from './format.ts';
export { renderVerdictTable } from './terminal.ts';

export const REPORT_FORMATS = ['html', 'junit', 'markdown', 'json', 'cloudevent'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

type Written = Exclude<ReportFormat, 'json'>;
const FILE: Record<Written, string> = {
  html: FILES.report,
  junit: 'junit.xml',
  markdown: 'summary.md',
  cloudevent: 'result.cloudevent.json',
};
const RENDER: Record<Written, (bundle: ReportBundle) => string> = {
  html: renderPage,
  junit: renderJUnit,
  markdown: renderMarkdown,
  cloudevent: renderCloudEvent,
};

/**
 * Writes the reports into the bundle and returns format -> file. A half bundle gives reports too, which say what is not
 * there. `json` is the judge's verdict.json: it is named, not written, and only when it is there.
 * @throws Error of the file system when a report cannot be written.
 */
export async function writeReports(
  bundleDir: string,
  formats: readonly ReportFormat[] = REPORT_FORMATS,
): Promise<Record<string, string>> {
  const bundle = await readBundle(bundleDir);
  const written: Record<string, string> = {};
  for (const format of formats) {
    if (format === 'json') {
      if (bundle.judged) written[format] = join(bundle.dir, FILES.verdict);
      continue;
    }
    const file = join(bundle.dir, FILE[format]);
    await writeFile(file, RENDER[format](bundle));
    written[format] = file;
  }
  return written;
}

/** One page over several runs, in their order, each with a relative link to its report. Returns the file. */
export async function writeIndex(bundleDirs: string[], file: string): Promise<string> {
  const path = resolve(file);
  const outcomes = await Promise.all(bundleDirs.map((dir) => readOutcome(dir)));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, renderOverview(outcomes, dirname(path)));
  return path;
}
