import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { EvidenceError, RefusedError } from '../base/errors.ts';
import { FILES } from '../evidence/tables.ts';
import { EXIT_CODE } from '../evidence/verdict.ts';
import { renderVerdictTable } from '../reports/index.ts';
import { judge, serializeVerdict, writeVerdict } from '../slo/judge/index.ts';

export const judgeCommand: CommandModule<object, { bundle: string; json: boolean }> = {
  command: 'judge <bundle>',
  describe: 'Judge a bundle again, from its evidence alone; writes verdict.json, always the same bytes',
  builder: (y) =>
    y
      .positional('bundle', { type: 'string', demandOption: true, describe: 'Directory of a run' })
      .option('json', { type: 'boolean', default: false, describe: 'Print the verdict document' }) as never,
  async handler({ bundle, json }) {
    requireBundle(bundle);
    const verdict = await judge(bundle).catch((error: unknown) => {
      // What an earlier judgement said would stay as if this bundle still showed it.
      if (error instanceof EvidenceError) rmSync(join(bundle, FILES.verdict), { force: true });
      throw error;
    });
    writeVerdict(bundle, verdict);
    process.stdout.write(json ? serializeVerdict(verdict) : `${renderVerdictTable([verdict])}\n`);
    process.exitCode = EXIT_CODE[verdict.verdict];
  },
};

/** @throws RefusedError when the directory is not a bundle at all. */
export function requireBundle(directory: string): void {
  if (!existsSync(join(directory, FILES.plan)) && !existsSync(join(directory, FILES.journal))) {
    throw new RefusedError([
      {
        file: directory,
        message: `is no bundle: expected a directory with ${FILES.plan} and ${FILES.journal}, as \`faultline run\` writes below reports/runs`,
      },
    ]);
  }
}
