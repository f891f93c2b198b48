/**
 * Starts and restarts the processes of a local target, as a kubelet would: a platform component that dies comes back
 * after a short back-off, unless a fault holds it. Every process carries the run's mark (chaos/undo/marked.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { RUN_MARK } from '../chaos/undo/marked.ts';
import type { ComponentEvent } from './target.ts';

export interface ComponentSpec {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  /** Answers 200 when the component serves. */
  readyUrl: string;
  /** `always`: restarted as a Deployment's pod is. `never`: part of the evidence; the run ends when it is gone. */
  restart: 'always' | 'never';
  blame: 'evidence' | 'harness';
  /** Its data is removed with the run: it is killed at the end, not asked. */
  throwaway?: boolean;
}

interface Supervised {
  spec: ComponentSpec;
  child?: ChildProcess | undefined;
  held: boolean;
  stopping: boolean;
  startedAt: number;
  /** Short lives in a row. */
  crashes: number;
  /** How it last ended by itself, with its last words. */
  lastEnd?: string;
  /** It will not be started again. */
  lost: boolean;
  timer?: NodeJS.Timeout | undefined;
}

/** First restart after this; doubled while a component keeps dying. Kubernetes starts at once, then 10 s, doubled: scaled here. */
const BACKOFF_MS = 200;
/** A process that lives shorter than this, this many times in a row, is in a crash loop: the component is lost. */
const SHORT_LIFE_MS = 20_000;
const CRASH_LOOP = 4;

export class Supervisor {
  private readonly components = new Map<string, Supervised>();
  private readonly runId: string;
  private readonly logDirectory: string;
  private readonly onEvent: (event: ComponentEvent) => void;
  private readonly backoffMs: number;

  constructor(options: {
    runId: string;
    logDirectory: string;
    backoffMs?: number;
    onEvent(event: ComponentEvent): void;
  }) {
    this.backoffMs = options.backoffMs ?? BACKOFF_MS;
    this.runId = options.runId;
    this.logDirectory = options.logDirectory;
    this.onEvent = options.onEvent;
  }

  start(spec: ComponentSpec): void {
    const supervised: Supervised = {
      spec,
      held: false,
      stopping: false,
      startedAt: 0,
      crashes: 0,
      lost: false,
    };
    this.components.set(spec.name, supervised);
    this.launch(supervised);
  }

  names(): string[] {
    return [...this.components.keys()];
  }

  get(name: string): ComponentSpec {
    return this.find(name).spec;
  }

  pid(name: string): number | undefined {
    return this.find(name).child?.pid;
  }

  async hold(name: string): Promise<void> {
    const supervised = this.find(name);
    supervised.held = true;
    clearTimeout(supervised.timer);
    await this.signalAndWait(supervised, 'SIGKILL');
  }

  async release(name: string): Promise<void> {
    const supervised = this.find(name);
    supervised.held = false;
    supervised.crashes = 0;
    if (!supervised.child) this.launch(supervised);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    const { child } = this.find(name);
    if (child) signalGroup(child, signal);
  }

  /**
   * Waits until every component runs and answers 200, all in the same pass: one that answered once and then ended is not
   * ready, and what answers in the place of one that does not run is not it.
   * @throws HarnessError naming those that do not, with their last log lines.
   */
  async ready(withinMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + withinMs;
    const components = [...this.components.values()];
    for (;;) {
      // One that was ready for a moment may be the reason why the others are not.
      const ended = components.filter((s) => s.crashes > 0);
      // Asked before the signal: a lost component stops the run, and the reason is what the user needs to read.
      if (ended.some((s) => s.lost)) throw new HarnessError(endsOf(ended));
      signal?.throwIfAborted();
      const answers = await Promise.all(components.map((s) => answers200(s.spec.readyUrl)));
      const waiting = components.filter((s, i) => !s.child || !answers[i]);
      if (waiting.length === 0) return;
      if (Date.now() > deadline) {
        const names = waiting.map((s) => s.spec.name);
        throw new HarnessError(
          [
            `not ready after ${withinMs / 1000} s: ${names.join(', ')}`,
            ...(ended.length > 0 ? [endsOf(ended)] : names.map((n) => `${n}: ${this.lastLines(n)}`)),
          ].join('\n'),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }

  /** SIGTERM to all, SIGKILL to those that take longer than `graceMs`. */
  async stopAll(graceMs: number): Promise<void> {
    await Promise.all(
      [...this.components.values()].map(async (supervised) => {
        supervised.stopping = true;
        clearTimeout(supervised.timer);
        const child = supervised.child;
        if (!child) return;
        // A paused process can not act on SIGTERM.
        signalGroup(child, 'SIGCONT');
        // As in a pod, only the main process is asked to end; its jobs are its own to finish.
        if (supervised.spec.throwaway) signalGroup(child, 'SIGKILL');
        else child.kill('SIGTERM');
        const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
        await exited(child);
        clearTimeout(timer);
      }),
    );
  }

  private find(name: string): Supervised {
    const supervised = this.components.get(name);
    if (!supervised)
      throw new HarnessError(`no component "${name}": expected one of ${this.names().join(', ')}`);
    return supervised;
  }

  private launch(supervised: Supervised): void {
    const { spec } = supervised;
    const log = openSync(join(this.logDirectory, `${spec.name}.log`), 'a');
    const child = spawn(spec.command, spec.args, {
      env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...spec.env, [RUN_MARK]: this.runId },
      stdio: ['ignore', log, log],
      // Its own session: Ctrl-C on the terminal is for the harness, which then ends the components in order.
      detached: true,
      cwd: '/',
    });
    closeSync(log);
    supervised.child = child;
    supervised.startedAt = performance.now();
    child.once('error', (error) => {
      supervised.child = undefined;
      supervised.crashes++;
      supervised.lastEnd = error.message;
      supervised.lost = true;
      this.onEvent({
        type: 'lost',
        component: spec.name,
        reason: `can not be started: ${error.message}`,
        blame: spec.blame,
      });
    });
    if (child.pid !== undefined) this.onEvent({ type: 'started', component: spec.name, pid: child.pid });
    child.once('exit', (code, signal) => {
      supervised.child = undefined;
      const expected = supervised.held || supervised.stopping;
      this.onEvent({
        type: 'exited',
        component: spec.name,
        pid: child.pid as number,
        code,
        signal,
        expected,
      });
      if (!expected) this.afterUnexpectedExit(supervised, code, signal);
    });
  }

  private afterUnexpectedExit(supervised: Supervised, code: number | null, signal: string | null): void {
    const { spec } = supervised;
    supervised.lastEnd = `(${signal ?? `code ${code}`}): ${this.lastLines(spec.name)}`;
    supervised.crashes =
      performance.now() - supervised.startedAt < SHORT_LIFE_MS ? supervised.crashes + 1 : 1;
    if (spec.restart === 'never' || supervised.crashes >= CRASH_LOOP) {
      supervised.lost = true;
      const what = spec.restart === 'never' ? 'ended' : `ended ${CRASH_LOOP} times shortly after its start`;
      this.onEvent({
        type: 'lost',
        component: spec.name,
        reason: `${what} ${supervised.lastEnd}`,
        blame: spec.blame,
      });
      return;
    }
    const delay = this.backoffMs * 2 ** (supervised.crashes - 1);
    supervised.timer = setTimeout(() => {
      if (!supervised.held && !supervised.stopping && !supervised.child) this.launch(supervised);
    }, delay);
  }

  private async signalAndWait(supervised: Supervised, signal: NodeJS.Signals): Promise<void> {
    const child = supervised.child;
    if (!child) return;
    signalGroup(child, signal);
    await exited(child);
  }

  private lastLines(name: string): string {
    const file = join(this.logDirectory, `${name}.log`);
    if (!existsSync(file)) return '(no log)';
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-4).join('\n') || '(empty log)';
  }
}

function endsOf(ended: Supervised[]): string {
  return ended
    .map((s) => `${s.spec.name} ended by itself while it was starting, ${s.crashes} times, last ${s.lastEnd}`)
    .join('\n');
}

/** The whole process group, as the end of a pod takes all its processes along: build jobs, functions, Erlang behind its shell. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid as number), signal);
  } catch {
    // Already gone.
  }
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

async function answers200(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(500) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
