/**
 * How child processes are started so that none outlives its parent, SIGKILL included. The kernel sends the child a
 * SIGKILL (PR_SET_PDEATHSIG, set by util-linux's setpriv before it becomes node); a child of a host without setpriv
 * relies on the end of its IPC channel, which a handler that never yields would not see.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Never handed to a child: it has no need of the broker or the object store's keys. */
const SECRETS = ['AMQP_URL', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'];

function onPath(tool: string): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory || '.', tool);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

const setpriv = onPath('setpriv');

/** The parent's environment without its secrets. */
export function childEnv(extra: Record<string, string>): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of SECRETS) delete env[name];
  return { ...env, ...extra };
}

/** Starts `node <args>` with an IPC channel; `output` says whether its stdout and stderr are read. */
export function spawnNode(args: string[], env: NodeJS.ProcessEnv, output: 'pipe' | 'ignore'): ChildProcess {
  const [command, ...rest] = setpriv
    ? [setpriv, '--pdeathsig', 'KILL', '--', process.execPath, ...args]
    : [process.execPath, ...args];
  return spawn(command as string, rest, {
    env,
    stdio: ['ignore', output, output === 'pipe' ? 'pipe' : 'inherit', 'ipc'],
  });
}
