import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { HarnessError } from '../base/errors.ts';
import { pendingUndos, sayGone, UNDO_LOG, undoAll } from '../chaos/undo/log.ts';
import { describeUndo, takeForced } from '../chaos/undo/operations.ts';
import { ownerLives, workDirectories } from '../engine/run-directories.ts';

export const cleanCommand: CommandModule<object, { dryRun: boolean }> = {
  command: 'clean',
  describe:
    'Undo what dead runs have left: processes, packet filter tables, directories. Running runs are not touched',
  builder: (y) =>
    y.option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be undone' }) as never,
  async handler({ dryRun }) {
    const failures: string[] = [];
    let cleaned = 0;
    for (const directory of workDirectories()) {
      if (ownerLives(directory)) continue;
      cleaned++;
      process.stdout.write(`${directory}\n`);
      if (!existsSync(join(directory, UNDO_LOG))) {
        if (!dryRun) rmSync(directory, { recursive: true, force: true });
        continue;
      }
      for (const { undo } of pendingUndos(directory))
        process.stdout.write(`  ${dryRun ? 'would ' : ''}${describeUndo(undo)}\n`);
      if (!dryRun) failures.push(...(await undoAll(directory, sayGone)));
    }
    for (const said of takeForced()) process.stdout.write(`  forced: ${said}\n`);
    if (failures.length > 0) throw new HarnessError(`could not be undone:\n${failures.join('\n')}`);
    process.stdout.write(
      cleaned === 0
        ? 'Nothing was left behind.\n'
        : dryRun
          ? ''
          : `Cleaned up after ${cleaned} run${cleaned === 1 ? '' : 's'}.\n`,
    );
  },
};
