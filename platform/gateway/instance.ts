/** One process of a function: its start, the requests that it works on, its end. */
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { compileCacheEnv } from '../common/compile-cache.ts';
import { childEnv, spawnNode } from '../common/die-with-parent.ts';
import type { FunctionSpec } from './catalog.ts';

const HOST = new URL('../runtime/host.ts', import.meta.url).pathname;
const REQUEST_TIMEOUT_MS = 300_000;
const STOP_GRACE_MS = 1000;
/** A process whose connection broke, and that has not ended after so long, is well. */
const SUSPECT_MS = 200;

export interface Call {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** There is no answer: the process ended (`crash`), or took too long (`timeout`). */
export class CallError extends Error {
  readonly kind: 'crash' | 'timeout';
  /** The request never reached the function, so that another instance may have it. */
  readonly unsent: boolean;
  constructor(kind: 'crash' | 'timeout', message: string, unsent = false) {
    super(message);
    this.kind = kind;
    this.unsent = unsent;
  }
}

let count = 0;

export class Instance {
  readonly spec: FunctionSpec;
  readonly pid: number | undefined;
  /** Resolves when it listens; rejects when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  /** Takes requests now. */
  serving = false;
  /** Gets no more requests, and ends when the last is answered. */
  retiring = false;
  inflight = 0;
  /** Called when it takes requests again after it was suspected to have ended. */
  onServing: () => void = () => {};
  #over = false;
  readonly #child: ChildProcess;
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** `sockets` is a directory, relative to the working directory, as a socket's path may have 107 bytes only. */
  constructor(spec: FunctionSpec, code: string, sockets: string, onOutput: (line: string) => void) {
    this.spec = spec;
    this.#socket = `${sockets}/${++count}.sock`;
    const env = childEnv({
      ...spec.env,
      ...compileCacheEnv(),
      LAMBDA_FUNCTION: spec.name,
      LAMBDA_HANDLER: spec.handler,
      LAMBDA_CODE: code,
      LAMBDA_SOCKET: this.#socket,
    });
    this.#child = spawnNode(['--v8-pool-size=1', HOST], env, 'pipe');
    this.pid = this.#child.pid;
    let last = '';
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.split('\n')) {
          if (line.trim() === '') continue;
          if (/Error/.test(line)) last = line.trim().slice(0, 300);
          onOutput(line.slice(0, 2000));
        }
      });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (exit, signal) => {
        resolve([signal ?? `exit code ${exit}`, exit === 0 ? '' : last].filter(Boolean).join(': '));
      });
    });
    this.ended.then(() => {
      this.#over = true;
      this.serving = false;
      this.#agent.destroy();
      return rm(this.#socket, { force: true });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#child.once('message', () => {
        this.serving = true;
        resolve();
      });
      this.ended.then((how) => reject(new Error(how)));
    });
    this.ready.catch(() => {});
  }

  /** Sends one request. Rejects with CallError. The caller counts `inflight`. */
  call(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const crashed = (message: string, unsent = false) => {
        this.#suspect();
        reject(new CallError('crash', message, unsent));
      };
      const req = request(
        {
          socketPath: this.#socket,
          agent: this.#agent,
          method: call.method,
          path: call.path,
          headers: { ...call.headers, host: this.spec.name, 'content-length': call.body.length },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('end', () =>
            resolve({ status: res.statusCode ?? 502, headers: res.headers, body: Buffer.concat(chunks) }),
          );
          res.on('close', () => {
            if (!res.complete) crashed('the function ended while it answered');
          });
        },
      );
      let late = false;
      req.setTimeout(REQUEST_TIMEOUT_MS, () => {
        late = true;
        req.destroy();
      });
      req.on('error', (error: NodeJS.ErrnoException) => {
        if (late) reject(new CallError('timeout', 'the function did not answer'));
        else crashed(error.message, error.code === 'ECONNREFUSED' || error.code === 'ENOENT');
      });
      req.end(call.body);
    });
  }

  /** A connection breaks before the end of its process is known: no more requests until it shows that it lives. */
  #suspect(): void {
    if (!this.serving) return;
    this.serving = false;
    setTimeout(() => {
      if (this.#over || this.retiring) return;
      this.serving = true;
      this.onServing();
    }, SUSPECT_MS);
  }

  /** Asks it to end; kills it when it does not. */
  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.serving = false;
    this.retiring = true;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
