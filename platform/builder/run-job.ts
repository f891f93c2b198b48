/** The builder's side of a build job: starts the process, waits for its result, ends it on a signal or deadline. */
import { compileCacheEnv } from '../common/compile-cache.ts';
import { childEnv, spawnNode } from '../common/die-with-parent.ts';
import type { JobMessage, JobResult, JobSpec } from './job.ts';

const JOB = new URL('./job.ts', import.meta.url).pathname;
const FLAGS = ['--experimental-vm-modules', '--no-warnings', '--v8-pool-size=1', '--single-threaded-gc'];

/** Why a job's signal was aborted, when a command asked for it. */
export const CANCELLED = 'cancelled';

export type JobEnd =
  | JobResult
  | { type: 'crashed'; message: string }
  | { type: 'stopped' }
  | { type: 'deadline' };

/** Never rejects. `signal` ends the job (`stopped`), `deadlineMs` too (`deadline`). */
export type RunJob = (
  spec: JobSpec,
  deadlineMs: number,
  signal: AbortSignal,
  onRetry: (retry: Extract<JobMessage, { type: 'retry' }>) => void,
) => Promise<JobEnd>;

/** Where builds run: as processes of this host, or as Kaniko Jobs on a cluster (run-kaniko.ts). */
export interface Jobs {
  run: RunJob;
  /** The builder ends; jobs on a cluster go on, and are found again. */
  stop(): Promise<void>;
}

export const processJobs: Jobs = { run: runJob, stop: async () => {} };

function runJob(...[spec, deadlineMs, signal, onRetry]: Parameters<RunJob>): Promise<JobEnd> {
  if (signal.aborted) return Promise.resolve({ type: 'stopped' });
  return new Promise((resolve) => {
    const child = spawnNode([...FLAGS, JOB], childEnv(compileCacheEnv()), 'ignore');
    let end: JobEnd | undefined;
    const kill = (why: JobEnd) => {
      end ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => kill({ type: 'deadline' }), deadlineMs);
    const onAbort = () => kill({ type: 'stopped' });
    signal.addEventListener('abort', onAbort, { once: true });
    child.on('message', (message: JobMessage) => {
      if (message.type === 'retry') onRetry(message);
      else end ??= message;
    });
    const finish = (fallback: JobEnd) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(end ?? fallback);
    };
    child.on('error', (error) => finish({ type: 'crashed', message: error.message }));
    // The result may still be in the channel when the process has ended: both must be over.
    let open = 2;
    let how = 'job ended';
    const over = () => {
      if (--open === 0) finish({ type: 'crashed', message: how });
    };
    child.on('exit', (code, by) => {
      how = `job ended: ${by ?? `code ${code}`}`;
      over();
    });
    child.on('disconnect', over);
    if (child.connected) child.send(spec, () => {});
  });
}
