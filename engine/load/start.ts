/** Runs k6 for all streams of a plan: one process, every segment one k6 scenario. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { HarnessError } from '../../base/errors.ts';
import { processCpuSeconds } from '../../base/process-cpu.ts';
import type { Stream } from '../../evidence/plan.ts';
import { isReady, resume } from './k6-api.ts';
import { k6Arguments, k6Environment } from './k6-command.ts';
import { k6Options, loadConfig } from './k6-files.ts';
import { type LiveLoad, LiveTail } from './live-tail.ts';

export type { LiveLoad } from './live-tail.ts';

export interface LoadOptions {
  k6Path: string;
  /** `scenarios/k6/main.ts`. */
  scriptPath: string;
  run: { id: string; seed: number };
  streams: Stream[];
  /** Env names of the scripts -> base URL without a slash at the end: RECEIVER_URL, GATEWAY_URL. */
  endpoints: Record<string, string>;
  /** Made if it is not there. k6's records land here: about 50 bytes a request until they are imported. */
  workDir: string;
  /** Port on 127.0.0.1 for k6's REST API. */
  apiPort: number;
  /** Added to the few variables that k6 gets; nothing is inherited, so that no K6_* of the user changes a run. */
  env?: Record<string, string>;
  /** All VUs must be ready within this time, ms. Default 60 000. */
  readyWithinMs?: number;
}

export interface LoadEnd {
  /** 0: the whole schedule ran. 105: stopped. 74: records were lost. Null: k6 did not start, or was killed by a signal. Others: k6's errext/exitcodes. */
  exitCode: number | null;
  /** The signal, and the last lines of what k6 said; empty when there is nothing to say. */
  detail: string;
}

export interface LoadHandle {
  /** Of k6, where it is a process of this host. */
  pid?: number;
  /** Processor time that k6 has used, seconds; NaN while nobody can tell. */
  cpuSeconds(): number;
  /** The records of each k6, input of importRequests once `done` has resolved. */
  rawFiles: string[];
  /** What k6 said: files, which need not be there. */
  said: string[];
  /**
   * Starts the schedule; k6 waits, with all VUs made, until then. Call once.
   * @returns the instant just before k6 was told, microseconds since the epoch: take it as the run's origin
   * @throws HarnessError when k6 is gone or does not answer
   */
  begin(): Promise<number>;
  /** Cheap; from k6's records as far as they are written (every 50 ms). */
  live(): Promise<LiveLoad>;
  /** Ends k6: SIGINT, which flushes the records of all answered requests, then SIGKILL. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Never rejects. */
  done: Promise<LoadEnd>;
}

const READY_POLL_MS = 50;
/** After SIGINT k6 interrupts its iterations and flushes, which takes less than a second; then it is killed. */
const STOP_MS = 5000;
const DETAIL_LINES = 8;
/** k6 ended well, but its records are not all there. The number is sysexits.h's EX_IOERR; k6 has no such code. */
export const RECORDS_LOST = 74;
/** The last line of tools/k6/records, written only when all others were. */
const LAST_LINE = '\t\t\t\t\t\tend\t\t\t.\n';
/** k6's exit code when its REST API cannot start; it says nothing then. */
const NO_REST_API = 106;
/**
 * Starts k6 paused and waits until all its VUs are made.
 * @throws HarnessError when k6 does not start, ends early or is not ready in time
 */
export async function startLoad(o: LoadOptions): Promise<LoadHandle> {
  const at = (name: string): string => join(o.workDir, name);
  await mkdir(o.workDir, { recursive: true });
  await writeFile(at('load.json'), JSON.stringify(loadConfig(o.run, o.streams)));
  await writeFile(at('options.json'), JSON.stringify(k6Options(o.streams)));
  const api = `http://127.0.0.1:${o.apiPort}`;
  const rawFile = at('k6.records');
  // Of a run before in the same directory: k6 appends to its log, and its records would be read as ours.
  await Promise.all([rm(at('k6.log'), { force: true }), rm(rawFile, { force: true })]);
  const said = openSync(at('k6.stderr'), 'w');
  const k6 = spawn(
    o.k6Path,
    [
      ...k6Arguments({
        ...{
          script: o.scriptPath,
          options: at('options.json'),
          log: at('k6.log'),
          apiPort: o.apiPort,
          rawFile,
        },
        env: { ...o.endpoints, FAULTLINE_LOAD: at('load.json') },
      }),
      '--paused',
    ],
    {
      cwd: o.workDir,
      env: { ...k6Environment(o.workDir), ...o.env },
      stdio: ['ignore', said, said],
    },
  );
  closeSync(said);

  let ended: LoadEnd | undefined;
  const done = new Promise<LoadEnd>((resolve) => {
    k6.once('error', (error) => resolve({ exitCode: null, detail: `k6 did not start: ${error.message}` }));
    k6.once('exit', async (exitCode, signal) => {
      const last = exitCode === 0 ? '' : await lastLines([at('k6.stderr'), at('k6.log')]);
      const why = signal
        ? `ended by ${signal}`
        : exitCode === NO_REST_API && !last
          ? `could not listen on ${api}`
          : '';
      if (exitCode === 0 && !(await isComplete(rawFile)))
        resolve({
          exitCode: RECORDS_LOST,
          detail: `k6 could not write all its records to ${rawFile}: is the disk full?`,
        });
      else resolve({ exitCode, detail: [why, last].filter(Boolean).join(': ') });
    });
  }).then((end) => {
    ended = end;
    return end;
  });
  const failure = (what: string, end: LoadEnd): HarnessError =>
    new HarnessError(`k6 ${what} (exit ${end.exitCode}): ${end.detail || 'it said nothing'}`);

  const stop = async (): Promise<void> => {
    if (ended) return;
    k6.kill('SIGINT');
    const hard = setTimeout(() => k6.kill('SIGKILL'), STOP_MS);
    await done;
    clearTimeout(hard);
  };

  const deadline = performance.now() + (o.readyWithinMs ?? 60_000);
  while (!(await isReady(api))) {
    if (ended) throw failure('ended before the load began', ended);
    if (performance.now() > deadline) {
      await stop();
      throw new HarnessError(`k6 was not ready within ${(o.readyWithinMs ?? 60_000) / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  // Whoever answered there, it was not this k6.
  if (ended) throw failure('ended before the load began', ended);

  favour(k6.pid as number);
  const tail = new LiveTail([rawFile]);
  return {
    pid: k6.pid as number,
    cpuSeconds: () => processCpuSeconds(k6.pid),
    rawFiles: [rawFile],
    said: [at('k6.stderr'), at('k6.log')],
    begin: async () => {
      // Not the monotonic clock: k6 stamps its records with the wall clock, and the two must agree.
      const startUs = Date.now() * 1000;
      try {
        await resume(api);
      } catch (error) {
        if (ended) throw failure('ended before the load began', ended);
        throw new HarnessError('k6 did not start the load', { cause: error });
      }
      return startUs;
    },
    live: () => tail.read(),
    stop,
    done,
  };
}

/**
 * Who measures goes before who is measured: on a machine that both share, a platform that is busy would else make the load late,
 * and the run `unknown`. Each thread by itself; those that come later have the priority of the one that starts them. Without the
 * right to it (root), nothing is changed.
 */
function favour(pid: number): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      setPriority(Number(thread), constants.priority.PRIORITY_HIGH);
  } catch {
    // Its lateness is judged in any case.
  }
}

export async function isComplete(rawFile: string): Promise<boolean> {
  const file = await open(rawFile).catch(() => undefined);
  if (!file) return false;
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(LAST_LINE.length);
    const { bytesRead } = await file.read(end, 0, end.length, Math.max(0, size - end.length));
    return end.toString('latin1', 0, bytesRead) === LAST_LINE;
  } finally {
    await file.close();
  }
}

async function lastLines(files: string[]): Promise<string> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const lines = texts.join('\n').split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .slice(-DETAIL_LINES)
    .join('\n');
}
