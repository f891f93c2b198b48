import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { pendingUndos, sayGone, UNDO_LOG, undoAll } from '../chaos/undo/log.ts';
import { describeUndo, takeForced } from '../chaos/undo/operations.ts';
import { otherHosts, ownerLives, workDirectories } from '../engine/run-directories.ts';

export const cleanCommand: CommandModule<object, { dryRun: boolean; host?: string }> = {
  command: 'clean',
  describe:
    'Undo what dead runs have left: processes, packet filter tables, directories. Running runs are not touched',
  builder: (y) =>
    y
      .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be undone' })
      .option('host', {
        type: 'string',
        requiresArg: true,
        describe:
          'Undo instead what runs of this machine have left, which has the same home directory and is gone for good',
      }) as never,
  async handler({ dryRun, host }) {
    const others = otherHosts();
    if (host !== undefined && !others.includes(host))
      throw new RefusedError([
        {
          file: '--host',
          message: `runs of "${host}" have left nothing here: expected one of ${others.join(', ') || '(none)'}, or no --host for this machine`,
        },
      ]);
    const failures: string[] = [];
    let cleaned = 0;
    for (const directory of workDirectories(host)) {
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
    // Whether they still run can not be seen from here.
    for (const other of others.filter((name) => name !== host))
      process.stdout.write(
        `Not looked at: runs of ${other}. Run \`faultline clean\` there; if that machine is gone for good, here with --host ${other}.\n`,
      );
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
