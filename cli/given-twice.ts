import { type Diagnostic, RefusedError } from '../base/errors.ts';

/** What yargs knows of a command's options; each list with their names as on the command line. */
export interface KnownOptions {
  array: readonly string[];
  boolean: readonly string[];
}

/**
 * Of an option that takes one value yargs makes a list when it is given twice, or of numbers their sum, and of switches it takes
 * the last: what the user meant, nobody knows.
 *
 * @throws RefusedError naming each option that stands twice among the arguments and is no list
 */
export function refuseGivenTwice(args: readonly string[], { array, boolean }: KnownOptions): void {
  const end = args.indexOf('--');
  const given = (end < 0 ? args : args.slice(0, end))
    // A value never begins like this: yargs takes it for the next option.
    .filter((arg) => arg.startsWith('--'))
    .map((arg) => nameOf(arg, boolean))
    .filter((name) => !array.includes(name));
  const problems = [...new Set(given)]
    .filter((name) => given.indexOf(name) !== given.lastIndexOf(name))
    .map((name): Diagnostic => ({ file: `--${name}`, message: 'given twice: expected one' }));
  if (problems.length > 0) throw new RefusedError(problems);
}

/** `--timeScale=1` is `--time-scale`, and `--no-json` is `--json`, as yargs has it. */
function nameOf(arg: string, switches: readonly string[]): string {
  const name = arg.replace(/^--|=.*$/gs, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const positive = name.replace(/^no-/, '');
  return switches.includes(positive) ? positive : name;
}
