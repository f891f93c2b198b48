/** A program that goes on when the command that started it has ended. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { HarnessError } from '../base/errors.ts';

const LOOK_EVERY_MS = 300;

export interface Daemon {
  command: string;
  args: string[];
  /** File to which its output is appended. */
  log: string;
  answers(): Promise<boolean>;
  withinMs: number;
}

/** Starts it, and waits until it answers. @throws HarnessError with its last lines when it does not, or can not be started */
export async function startDaemon({ command, args, log, answers, withinMs }: Daemon): Promise<void> {
  const output = openSync(log, 'a');
  const daemon = spawn(command, args, { stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  let failure: string | undefined;
  daemon.on('error', (error) => {
    failure = error.message;
  });
  daemon.unref();
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline && daemon.exitCode === null && failure === undefined) {
    if (await answers()) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  const last = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n    ');
  throw new HarnessError(
    failure === undefined
      ? `${command} did not come up; its last lines (${log}):\n    ${last}`
      : `${command} can not be started: ${failure}`,
  );
}
