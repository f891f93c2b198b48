import { spawn } from 'node:child_process';

export interface ExecResult {
  /** Exit code; undefined when it could not be started, was killed or timed out. */
  code: number | undefined;
  /** Standard output alone, whole: what is to be read as an answer, which a warning on the other stream is no part of. */
  stdout: string;
  /** Standard output and error, in the order of arrival (the last 256 KiB): for people. */
  output: string;
  /** Why there is no exit code. */
  failure?: string;
}

export interface ExecOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  timeoutMs: number;
  signal?: AbortSignal;
  /** For its standard input; without it there is none. */
  input?: string;
  /** Called with each piece of output as it comes. */
  onOutput?: (text: string) => void;
}

const KEPT = 256 * 1024;
/** An answer that is cut off would be read as a whole one. */
const MOST_STDOUT = 64 * 1024 * 1024;
const GRACE_MS = 5000;

/**
 * Runs a command to its end, in a process group of its own, so that a time-out or an abort ends its children too: SIGTERM,
 * and SIGKILL 5 s later. So does an answer of more than 64 Mi characters. Never rejects.
 */
export function exec(command: string, args: string[], options: ExecOptions): Promise<ExecResult> {
  return new Promise((done) => {
    let stdout = '';
    let output = '';
    let failure: string | undefined;
    if (options.signal?.aborted) {
      done({ code: undefined, stdout, output, failure: 'interrupted' });
      return;
    }
    const child = spawn(command, args, {
      env: options.env ?? process.env,
      cwd: options.cwd,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    // One that ends without having read it says so itself.
    child.stdin?.on('error', () => {}).end(options.input);
    let killer: NodeJS.Timeout | undefined;
    const stop = (why: string) => {
      if (failure !== undefined || child.pid === undefined) return;
      failure = why;
      killGroup(child.pid, 'SIGTERM');
      killer = setTimeout(() => killGroup(child.pid as number, 'SIGKILL'), GRACE_MS);
    };
    const timer = setTimeout(
      () => stop(`no end after ${Math.round(options.timeoutMs / 1000)} s`),
      options.timeoutMs,
    );
    const abort = () => stop('interrupted');
    options.signal?.addEventListener('abort', abort);
    const take = (text: string) => {
      output = (output + text).slice(-KEPT);
      options.onOutput?.(text);
    };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length + text.length <= MOST_STDOUT) stdout += text;
      else stop(`more than ${MOST_STDOUT / 1024 / 1024} Mi characters of output`);
      take(text);
    });
    child.stderr?.setEncoding('utf8').on('data', take);
    const finish = (result: ExecResult) => {
      clearTimeout(timer);
      clearTimeout(killer);
      options.signal?.removeEventListener('abort', abort);
      done(result);
    };
    child.on('error', (error) => finish({ code: undefined, stdout, output, failure: error.message }));
    child.on('close', (code, signal) => {
      if (failure === undefined && code !== null) finish({ code, stdout, output });
      else finish({ code: undefined, stdout, output, failure: failure ?? `killed by ${signal}` });
    });
  });
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}

/** The last lines of an output, indented, for an error message. */
export function lastLines(output: string, count = 15): string {
  const lines = output
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  return lines
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}
