/**
 * The undo log: `undo.ndjson` in the run's work directory. An undo is durable (fsync) before its act begins, so that a
 * reaper that finds the log knows everything that may have happened. The log is the last thing to be removed.
 */
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { carryOut, placeOf, UndoOperation } from './operations.ts';
import { inTurn } from './turn.ts';

const Line = z.union([
  z.strictObject({ id: z.number().int(), act: z.string(), undo: UndoOperation }),
  z.strictObject({ done: z.number().int() }),
]);

export const UNDO_LOG = 'undo.ndjson';

export class UndoLog {
  private readonly fd: number;
  private next = 1;

  constructor(directory: string) {
    this.fd = openSync(join(directory, UNDO_LOG), 'a');
    // Its name too: after a power cut, a file that no directory knows is not there.
    for (const path of [directory, dirname(directory)]) syncDirectory(path);
  }

  /** Makes the undo of `act` durable. Call before the act. Returns the id for `done`. */
  record(act: string, undo: UndoOperation): number {
    const id = this.next++;
    this.append({ id, act, undo });
    return id;
  }

  done(id: number): void {
    this.append({ done: id });
  }

  close(): void {
    closeSync(this.fd);
  }

  private append(line: z.infer<typeof Line>): void {
    writeSync(this.fd, `${JSON.stringify(line)}\n`);
    fsyncSync(this.fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch {
    // Some file systems can do it for files only: a dead process's log is there all the same.
  } finally {
    closeSync(fd);
  }
}

export interface PendingUndo {
  id: number;
  act: string;
  undo: UndoOperation;
}

/** Undos not yet done, the latest act first. A torn last line is an act that had not begun; without a log nothing had. */
export function pendingUndos(directory: string): PendingUndo[] {
  const done = new Set<number>();
  const recorded = linesOf(directory);
  for (const line of recorded) if ('done' in line) done.add(line.done);
  return recorded.flatMap((line) => ('undo' in line && !done.has(line.id) ? [line] : [])).reverse();
}

function linesOf(directory: string): z.infer<typeof Line>[] {
  const file = join(directory, UNDO_LOG);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((text) => parseLine(text) ?? []);
}

function parseLine(text: string): z.infer<typeof Line> | undefined {
  try {
    return Line.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What could not be undone. */
export interface Failure {
  said: string;
  /** Another try helps nothing: what is there now is not of this run. */
  lasting: boolean;
}

/**
 * Carries out all pending undos, going on after a failure: processes first, as a load generator must not go on for the minute that
 * a cluster takes to let a platform go. What could not be undone is returned, and stays in the log, and the log with it. While another
 * process carries out the same log, its end is waited for.
 *
 * @param onGone for who comes after a run: a cluster of Faultline's own whose kubeconfig is not there any more, or names none, is taken as
 * gone, with all that was on it, and told here. Without it that is a failure: a run at its own end has a cluster, and nobody has looked at it.
 */
export function tryUndo(directory: string, onGone?: (kubeconfig: string) => void): Promise<Failure[]> {
  return inTurn(directory, () => undoPending(directory, onGone)).catch((error: Error) => [
    { said: error.message, lasting: false },
  ]);
}

/** The same, in words. */
export async function undoAll(directory: string, onGone?: (kubeconfig: string) => void): Promise<string[]> {
  return (await tryUndo(directory, onGone)).map(({ said }) => said);
}

async function undoPending(directory: string, onGone?: (kubeconfig: string) => void): Promise<Failure[]> {
  const failures: Failure[] = [];
  const first = (undo: UndoOperation) => Number(undo.op === 'kill-marked');
  const pending = pendingUndos(directory).sort((a, b) => first(b.undo) - first(a.undo));
  // Those that are done too: what stands in the place of a namespace that is gone is not of this run.
  const operations = linesOf(directory).flatMap((line) => ('undo' in line ? [line.undo] : []));
  // Asked once for all: a cluster's answer takes a while, and faults wait for it.
  const places = new Map<string, ReturnType<typeof placeOf>>();
  const placeFor = (kubeconfig: string) => {
    const place = places.get(kubeconfig) ?? placeOf(operations, kubeconfig);
    if (place === 'gone' && !places.has(kubeconfig)) onGone?.(kubeconfig);
    places.set(kubeconfig, place);
    return place;
  };
  for (const { id, act, undo } of pending) {
    if (failures.length > 0 && undo.op === 'remove-directory' && undo.path === directory) continue;
    try {
      const place =
        'kubeconfig' in undo ? placeFor(undo.kubeconfig) : placeOfNode(undo, operations, placeFor);
      if (typeof place === 'object') {
        failures.push({ said: `${act}: ${place.taken}`, lasting: undo.op !== 'revive-node' });
        continue;
      }
      if (place === 'gone' && onGone === undefined)
        throw new Error(
          `nobody can look at the cluster: ${(undo as { kubeconfig: string }).kubeconfig} names none`,
        );
      if (place === 'ours') await carryOut(undo);
      if (existsSync(directory))
        appendFileSync(join(directory, UNDO_LOG), `${JSON.stringify({ done: id })}\n`);
    } catch (error) {
      failures.push({ said: `${act}: ${(error as Error).message}`, lasting: false });
    }
  }
  return failures;
}

/**
 * A lost node is of the cluster that the log's other acts were on: a run that has the cluster now may have lost it on purpose. An API server
 * that gives no answer is no reason to leave it lost; one that was slowed is not even asked.
 */
function placeOfNode(
  undo: UndoOperation,
  operations: readonly UndoOperation[],
  placeFor: (kubeconfig: string) => ReturnType<typeof placeOf>,
): 'ours' | { taken: string } {
  const [kubeconfig] = operations.flatMap((one) => ('kubeconfig' in one ? [one.kubeconfig] : []));
  if (undo.op !== 'revive-node' || kubeconfig === undefined) return 'ours';
  try {
    const place = placeFor(kubeconfig);
    return place === 'gone' ? 'ours' : place;
  } catch {
    return 'ours';
  }
}

/** For the terminal. */
export const sayGone = (kubeconfig: string): void => {
  process.stderr.write(
    `taken as gone, with all that was on it: the cluster of ${kubeconfig}, which names none any more\n`,
  );
};
