/**
 * Undo operations are data, so that a process that knows nothing of the run can carry them out from the log. Each is
 * idempotent: undoing what never happened, or was undone, is no error.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { killMarked, markedProcesses } from './marked.ts';

export const UndoOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('kill-marked'), run: z.string() }),
  z.strictObject({ op: z.literal('delete-nft-table'), table: z.string() }),
  z.strictObject({ op: z.literal('remove-directory'), path: z.string() }),
]);
export type UndoOperation = z.infer<typeof UndoOperation>;

/** @throws Error when the thing is still there afterwards. */
export async function carryOut(operation: UndoOperation): Promise<void> {
  switch (operation.op) {
    case 'kill-marked':
      await killMarked(operation.run);
      break;
    case 'delete-nft-table':
      if (nftTables().includes(operation.table))
        execFileSync('nft', ['delete', 'table', 'inet', operation.table]);
      break;
    case 'remove-directory':
      rmSync(operation.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      break;
  }
  const left = leftover(operation);
  if (left.length > 0) throw new Error(left.join('; '));
}

/** What an operation would still have to undo: the leak audit. Empty when clean. */
export function leftover(operation: UndoOperation): string[] {
  switch (operation.op) {
    case 'kill-marked':
      return markedProcesses(operation.run).map(
        (p) => `process ${p.pid} is still there: ${p.command.slice(0, 120)}`,
      );
    case 'delete-nft-table':
      return nftTables().includes(operation.table)
        ? [`nftables table inet ${operation.table} is still there`]
        : [];
    case 'remove-directory':
      return existsSync(operation.path) ? [`directory ${operation.path} is still there`] : [];
  }
}

export function describeUndo(operation: UndoOperation): string {
  switch (operation.op) {
    case 'kill-marked':
      return `kill every process marked with run ${operation.run}`;
    case 'delete-nft-table':
      return `delete nftables table inet ${operation.table}`;
    case 'remove-directory':
      return `remove ${operation.path}`;
  }
}

function nftTables(): string[] {
  try {
    const listing = execFileSync('nft', ['list', 'tables', 'inet'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [...listing.matchAll(/^table inet (\S+)/gm)].map((m) => m[1] as string);
  } catch {
    // Without nft, or the right to use it, no table can have been made by us either.
    return [];
  }
}
