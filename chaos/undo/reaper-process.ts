/**
 * The reaper: a process of its own that outlives the harness. Its standard input is a pipe that only the harness holds;
 * the kernel closes it when the harness dies, SIGKILL included. A pipe needs no polling and can not mistake a reused pid.
 * Usage: node reaper-process.ts <work directory> <run id> <report file>
 */
import { appendFileSync } from 'node:fs';
import { undoAll } from './log.ts';
import { carryOut, takeForced } from './operations.ts';

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
    // The harness may have died before its log had these two, or after it had removed the log.
    for (const undo of [
      { op: 'kill-marked', run },
      { op: 'remove-directory', path: directory },
    ] as const)
      await carryOut(undo).catch((error: Error) => failures.push(error.message));
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
