/**
 * The reaper: a process of its own that outlives the harness. Its standard input is a pipe that only the harness holds;
 * the kernel closes it when the harness dies, SIGKILL included. A pipe needs no polling and can not mistake a reused pid.
 * Usage: node reaper-process.ts <work directory> <run id> <report file>
 */
import { appendFileSync } from 'node:fs';
import { undoAll } from './log.ts';
import { carryOut, takeForced, type UndoOperation } from './operations.ts';

const [directory, run, report] = process.argv.slice(2) as [string, string, string];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

let released = false;
process.stdin.on('data', (chunk) => {
  if (chunk.includes('release')) released = true;
});
process.stdin.on('error', () => {});
process.stdin.on('close', async () => {
  if (!released) {
    const started = Date.now();
    const failures = await undoAll(directory);
    const attempt = (undo: UndoOperation) =>
      carryOut(undo).catch((error: Error) => void failures.push(error.message));
    // The harness may have died before its log had these two, or after it had removed the log.
    await attempt({ op: 'kill-marked', run });
    // What could not be undone stays in it, for `faultline clean`.
    if (failures.length === 0) await attempt({ op: 'remove-directory', path: directory });
    try {
      appendFileSync(
        report,
        `${JSON.stringify({ wall: new Date().toISOString(), reaped: true, ms: Date.now() - started, failures, forced: takeForced() })}\n`,
      );
    } catch {
      // The bundle may be gone; the undo is what counts.
    }
  }
  process.exit(0);
});
process.stdout.write('ready\n');
