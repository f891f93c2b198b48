/**
 * The reaper: a process of its own that outlives the harness. Its standard input is a pipe that only the harness holds;
 * the kernel closes it when the harness dies, SIGKILL included. A pipe needs no polling and can not mistake a reused pid.
 * Usage: node reaper-process.ts <work directory> <run id> <report file>
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, tryUndo } from './log.ts';
import { carryOut, takeForced, type UndoOperation } from './operations.ts';

/** A cluster whose API is away for a minute shall not keep a fault; one that is away for longer than this, `faultline clean` comes to. */
const GIVE_UP_AFTER_MS = 60 * 60_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

const [directory, run, report] = process.argv.slice(2) as [string, string, string];
let pausing = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // In the middle of an undo it is to go on; between two, all is in the log.
    if (pausing) process.exit(0);
  });

let released = false;
process.stdin.on('data', (chunk) => {
  if (chunk.includes('release')) released = true;
});
process.stdin.on('error', () => {});
process.stdin.on('close', async () => {
  if (!released) await reap();
  process.exit(0);
});
process.stdout.write('ready\n');

async function reap(): Promise<void> {
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const began = Date.now();
    const gone: string[] = [];
    // The first attempt comes right after a run that had a cluster; later ones may come after the cluster.
    const failures = await attempt(pause === FIRST_PAUSE_MS ? undefined : (cluster) => gone.push(cluster));
    const again = failures.some(({ lasting }) => !lasting) && Date.now() + pause < giveUpAt;
    tell({
      ...{ wall: new Date().toISOString(), reaped: true, ms: Date.now() - began },
      ...{ failures: failures.map(({ said }) => said), forced: takeForced() },
      ...(gone.length > 0 ? { gone } : {}),
      ...(again ? { againInMs: pause } : {}),
    });
    if (!again) return;
    pausing = true;
    await sleep(pause);
    pausing = false;
  }
}

/** The log is read anew each time: what `faultline clean` has done meanwhile is not done again. */
async function attempt(onGone: ((kubeconfig: string) => void) | undefined): Promise<Failure[]> {
  const failures = await tryUndo(directory, onGone);
  const carry = (undo: UndoOperation) =>
    carryOut(undo).catch((error: Error) => void failures.push({ said: error.message, lasting: false }));
  // The harness may have died before its log had these two, or after it had removed the log.
  await carry({ op: 'kill-marked', run });
  // What could not be undone stays in it, for `faultline clean`.
  if (failures.length === 0) await carry({ op: 'remove-directory', path: directory });
  return failures;
}

function tell(line: object): void {
  try {
    appendFileSync(report, `${JSON.stringify(line)}\n`);
  } catch {
    // The bundle may be gone; the undo is what counts.
  }
}
