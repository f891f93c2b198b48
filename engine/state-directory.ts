/** Where Faultline keeps what must outlast a reboot: `${XDG_STATE_HOME:-~/.local/state}/faultline`. Source: XDG Base Directory Specification. */
import { accessSync, chmodSync, constants, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RefusedError } from '../base/errors.ts';

/** Why it can not be elsewhere, and what helps. */
const LASTING =
  'how faults are undone must be written where a reboot leaves it: set XDG_STATE_HOME to a directory that lasts, the same for every command';

const refuse = (file: string, message: string) => new RefusedError([{ file, message }]);

/**
 * Its path, whether it is there or not.
 * @param passwdHome the home directory that the system has for this user, where HOME does not say
 * @throws RefusedError when nobody says where that is, or it is not there: one that is made now would be hidden by the right one
 */
export function statePath(env: NodeJS.ProcessEnv = process.env, passwdHome: () => string = homedir): string {
  // A relative one is to be ignored, says the specification.
  if (env.XDG_STATE_HOME?.startsWith('/')) return join(env.XDG_STATE_HOME, 'faultline');
  const home = env.HOME || homeOf(passwdHome);
  if (!home) throw refuse('HOME', `not set, and the system knows no home directory of yours; ${LASTING}`);
  if (!existsSync(home)) throw refuse('HOME', `${home} is not there; ${LASTING}`);
  return join(home, '.local/state/faultline');
}

/** @throws RefusedError when it can not be made or written, or is a link, another user's, or open to others */
export function stateDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const path = statePath(env);
  const uid = process.getuid?.() ?? 0;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined)
      mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refuse(path, `can not be made (${(error as NodeJS.ErrnoException).code}); ${LASTING}`);
  }
  const found = lstatSync(path);
  const wrong = !found.isDirectory()
    ? 'it is a link, or no directory'
    : found.uid !== uid
      ? "it is another user's"
      : found.mode & 0o022
        ? 'others may write into it'
        : undefined;
  if (wrong !== undefined)
    throw refuse(
      path,
      `${wrong}, and commands that undo logs in it name would be run as you: move it away, or let XDG_STATE_HOME name another directory; what you find to be yours in it, \`faultline clean\` undoes once it is yours alone (mode 0700)`,
    );
  try {
    if (found.mode & 0o077) chmodSync(path, 0o700);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw refuse(path, `can not be written (${(error as NodeJS.ErrnoException).code}); ${LASTING}`);
  }
  return path;
}

/** @returns '' when there is none */
function homeOf(passwdHome: () => string): string {
  try {
    return passwdHome();
  } catch {
    return '';
  }
}
