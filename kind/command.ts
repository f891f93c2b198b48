import { HarnessError } from '../base/errors.ts';
import { type ExecOptions, exec, lastLines } from '../tools/exec.ts';

const TIMEOUT_MS = 30 * 60_000;

/** Ends every command that is running, with its children: each is in a process group of its own, which Ctrl-C does not reach. */
export const interrupt = new AbortController();

/** Runs a command to its end. @throws HarnessError with its last lines when it fails. Returns its answer: what it said besides, on the other stream, is no part of it. */
export async function run(
  command: string,
  args: string[],
  options: Partial<ExecOptions> = {},
): Promise<string> {
  const result = await exec(command, args, { timeoutMs: TIMEOUT_MS, signal: interrupt.signal, ...options });
  if (result.code === 0) return result.stdout;
  throw new HarnessError(
    `${[command, ...args].join(' ').slice(0, 200)} failed (${result.failure ?? `exit code ${result.code}`}). Its last lines:\n${lastLines(result.output)}`,
  );
}
