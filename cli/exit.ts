import { EvidenceError, formatDiagnostic, HarnessError, RefusedError } from '../base/errors.ts';

/** The command line itself is wrong. */
export class UsageError extends RefusedError {
  constructor(message: string) {
    super([{ file: 'faultline', message }]);
    this.name = 'UsageError';
  }
}

/** Ctrl-C or SIGTERM ended a command that has nothing to judge. */
export class InterruptedError extends Error {
  readonly exitCode = 130;
}

/** Says on standard error what went wrong and what to do next, and returns the exit code that it means. */
export function reportError(error: unknown, options: { debug: boolean }): number {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  if (error instanceof RefusedError) {
    for (const diagnostic of error.diagnostics) say(formatDiagnostic(diagnostic));
    if (error instanceof UsageError)
      say('`faultline --help` shows the commands, `faultline COMMAND --help` the options.');
    return error.exitCode;
  }
  if (error instanceof InterruptedError) {
    say(error.message || 'Interrupted.');
    return error.exitCode;
  }
  if (error instanceof EvidenceError) {
    say(`Evidence is missing: ${error.message}`);
  } else if (error instanceof HarnessError) {
    say(`Faultline failed: ${error.message}`);
    say('Next: `faultline doctor` shows whether this machine has all that is needed.');
  } else {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    say(`Faultline failed unexpectedly: ${message.split('\n')[0]}`);
    if (!options.debug) say('Next: run it again with --debug for the stack, and report it.');
  }
  if (options.debug) say(stackOf(error));
  return error instanceof EvidenceError || error instanceof HarnessError ? error.exitCode : 3;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\nCaused by: ${stackOf(error.cause)}`;
}
