import type { CommandModule } from 'yargs';
import { REPORT_FORMATS, type ReportFormat, writeReports } from '../reports/index.ts';
import { requireBundle } from './judge.ts';

export const reportCommand: CommandModule<object, { bundle: string; format: ReportFormat[] }> = {
  command: 'report <bundle>',
  describe: 'Write the reports of a judged bundle again',
  builder: (y) =>
    y
      .positional('bundle', { type: 'string', demandOption: true, describe: 'Directory of a run' })
      .option('format', {
        choices: REPORT_FORMATS,
        array: true,
        default: [...REPORT_FORMATS],
        describe: 'Which reports',
      }) as never,
  async handler({ bundle, format }) {
    requireBundle(bundle);
    for (const [name, file] of Object.entries(await writeReports(bundle, format)))
      process.stdout.write(`${name}: ${file}\n`);
  },
};
