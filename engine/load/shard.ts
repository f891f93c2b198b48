/** One k6 in one pod: brought there, started, followed and ended by scripts in the pod; k6 itself lives on when a connection breaks. */
import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HarnessError } from '../../base/errors.ts';
import type { LoadPod } from '../../targets/target.ts';
import { k6Arguments, k6Environment } from './k6-command.ts';
import { inPod, quoteShell } from './pod-shell.ts';
import { isComplete, type LoadEnd, type LoadOptions, RECORDS_LOST } from './start.ts';

/** The clocks of this host and of a pod's node may differ by so much: what is late is judged to 100 ms. */
const SKEW_MS = 50;
const CLOCK_WITHIN_MS = 20_000;
const READY_WITHIN_MS = 60_000;
/** A pod whose connection breaks is asked again; one that gives no answer for so long is lost. */
const LOST_AFTER_MS = 60_000;
const AGAIN_MS = 500;
/** A pod tells something twice a second; a connection that is silent for so long hangs, and a new one is tried. */
const SILENT_MS = 5000;
/** What is older says nothing of k6's processor time now. */
const HEARD_WITHIN_MS = 1500;
const STOP_MS = 5000;
const TOLD_WITHIN_MS = 10_000;
/** After k6's end, for the last of its records to come. */
const FOLLOWED_WITHIN_MS = 30_000;
/** The records of a k6 that was killed have no last line by which to know that they are all there. */
const KILLED_FOLLOWED_WITHIN_MS = 3000;
/** Of a shell: ended by a signal. */
const KILLED = 128;

/** Of a pod's memory: k6 has some beside Go's heap, and whatever is over the limit is killed. */
const HEAP_SHARE = 0.75;

export interface PodLoadOptions extends Omit<LoadOptions, 'env' | 'readyWithinMs'> {
  pods: LoadPod[];
}

export class Shard {
  readonly records: string;
  readonly said: string;
  readonly ended: Promise<LoadEnd>;
  private readonly options: PodLoadOptions;
  private readonly pod: LoadPod;
  private readonly shard: { index: number; of: number };
  private readonly setEnded: (end: LoadEnd) => void;
  private over = false;
  private cpu = 0;
  private heard = performance.now();
  /** When k6 had ended. */
  private exited: number | undefined;
  private following: Promise<void> = Promise.resolve();
  private readonly talks = new Set<ChildProcess>();

  constructor(options: PodLoadOptions, pod: LoadPod, index: number, of: number) {
    this.options = options;
    this.pod = pod;
    this.shard = { index, of };
    this.records = join(options.workDir, `k6-${index}.records`);
    this.said = join(options.workDir, `k6-${index}.log`);
    const ended = Promise.withResolvers<LoadEnd>();
    this.ended = ended.promise;
    this.setEnded = (end) => {
      this.over = true;
      ended.resolve(end);
      this.hangUp();
    };
  }

  /** NaN while the pod is not heard of: the same number again would be an idle k6. */
  cpuSeconds(): number {
    return this.over || performance.now() - this.heard < HEARD_WITHIN_MS ? this.cpu : Number.NaN;
  }

  private hangUp(): void {
    for (const talk of this.talks) talk.kill('SIGKILL');
  }

  giveUp(why: string): void {
    this.setEnded({ exitCode: null, detail: why });
  }

  /** Brings k6 and the load into the pod, and starts it, paused. */
  async start(): Promise<void> {
    const { pod } = this;
    const { k6Path, workDir, endpoints, apiPort } = this.options;
    await rm(this.records, { force: true });
    for (const [file, name] of [
      [k6Path, 'k6'],
      [join(workDir, 'load.tar'), 'load.tar'],
    ] as const)
      await inPod(pod, `cat >${name} && chmod 0755 ${name}`, createReadStream(file));
    await this.checkClock();
    const args = k6Arguments({
      ...{ script: 'load.tar', log: 'k6.log', apiPort, rawFile: 'k6.records', shard: this.shard },
      env: endpoints,
    });
    const environment = k6Environment(pod.directory, Math.round(HEAP_SHARE * pod.memoryMiB));
    const env = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const command = ['env', '-i', ...env, './k6', ...args, '--paused'].map(quoteShell).join(' ');
    const run = `${command} >k6.stderr 2>&1 </dev/null & echo $! >pid; wait $!; echo $? >exit.new; mv exit.new exit`;
    // Lives on when the connection ends.
    await inPod(pod, `setsid bash -c ${quoteShell(run)} >/dev/null 2>&1 </dev/null & disown`);
    const ready = `until [ -e exit ] || { exec 3<>/dev/tcp/127.0.0.1/${apiPort} && printf 'GET /v1/status HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '"status": *4' <&3; } 2>/dev/null; do sleep 0.1; done; [ ! -e exit ] || { cat k6.stderr k6.log; exit 1; }`;
    await inPod(pod, ready, undefined, READY_WITHIN_MS);
    this.watch().catch((error: Error) => this.giveUp(error.message));
  }

  /** A script that is listened to while it runs; it ends with this load. */
  private talk(script: string): ChildProcessWithoutNullStreams {
    const child = this.pod.bash(script);
    this.talks.add(child);
    child.once('close', () => this.talks.delete(child));
    // Its output ends then as well, which is seen.
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stderr.resume();
    return child;
  }

  /** Its records have its own clock's instants. The quickest of several answers tells best. */
  private async checkClock(): Promise<void> {
    const asked = this.talk('while read -r _; do date +%s%N; done');
    const timer = setTimeout(() => asked.kill('SIGKILL'), CLOCK_WITHIN_MS);
    const answers = asked.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    let best = { skewMs: Number.POSITIVE_INFINITY, roundMs: Number.POSITIVE_INFINITY };
    for (let i = 0; i < 7; i++) {
      const before = Date.now();
      const began = performance.now();
      asked.stdin.write('\n');
      const { value, done } = await answers.next();
      if (done) break;
      const roundMs = performance.now() - began;
      const there = Number(BigInt(String(value).trim()) / 1000n) / 1000;
      if (roundMs < best.roundMs) best = { skewMs: there - (before + roundMs / 2), roundMs };
    }
    clearTimeout(timer);
    asked.kill();
    // What the way there takes can not be told from a difference of the clocks.
    if (!(Math.abs(best.skewMs) - best.roundMs / 2 <= SKEW_MS))
      throw new HarnessError(
        `the clock of pod ${this.pod.name} differs from this host's by ${Math.round(best.skewMs)} ms, ${SKEW_MS} may be: is the time of its node kept?`,
      );
  }

  async begin(startMs: number): Promise<void> {
    const body = '{"data":{"type":"status","id":"default","attributes":{"paused":false}}}';
    const request = `PATCH /v1/status HTTP/1.0\\r\\nContent-Type: application/json\\r\\nContent-Length: ${body.length}\\r\\n\\r\\n`;
    const wait = `left=$((${startMs}000000 - $(date +%s%N))); [ $left -gt 0 ] || { echo "told $((-left / 1000000)) ms too late"; exit 1; }; sleep $((left / 1000000000)).$(printf %09d $((left % 1000000000)))`;
    const resume = `exec 3<>/dev/tcp/127.0.0.1/${this.options.apiPort}; printf '${request}%s' ${quoteShell(body)} >&3; head -n 1 <&3 | grep -q ' 200 '`;
    await inPod(this.pod, `${wait}; ${resume}`).catch((cause) => {
      throw new HarnessError(`k6 in pod ${this.pod.name} did not start the load: ${cause.message}`, {
        cause,
      });
    });
    this.following = this.follow();
    this.following.catch((error: Error) => this.giveUp(`its records can not be kept here: ${error.message}`));
  }

  async stop(): Promise<void> {
    if (this.over) return;
    const end = (signal: string) =>
      inPod(this.pod, `kill -${signal} $(cat pid)`, undefined, TOLD_WITHIN_MS).catch(() => {});
    await end('INT');
    const hard = setTimeout(() => void end('KILL'), STOP_MS);
    await this.ended;
    clearTimeout(hard);
  }

  /** Hears of its processor time, and of its end. */
  private async watch(): Promise<void> {
    const script = `until [ -e exit ]; do read -r line </proc/$(cat pid)/stat && echo "$line"; sleep 0.5; done 2>/dev/null; echo "exit $(cat exit)"`;
    this.heard = performance.now();
    while (!this.over && performance.now() - this.heard < LOST_AFTER_MS) {
      let silent = setTimeout(() => this.hangUp(), SILENT_MS);
      for await (const line of createInterface(this.talk(script).stdout)) {
        clearTimeout(silent);
        this.heard = performance.now();
        const code = /^exit (\d+)/.exec(line)?.[1];
        if (code !== undefined) {
          await this.finish(Number(code));
          return;
        }
        const fields = line.split(') ')[1]?.split(' ') ?? [];
        // Source: proc(5), fields 14 and 15.
        this.cpu = (Number(fields[11]) + Number(fields[12])) / 100;
        silent = setTimeout(() => this.hangUp(), SILENT_MS);
      }
      clearTimeout(silent);
      await sleep(AGAIN_MS);
    }
    this.giveUp(`pod ${this.pod.name} gave no answer for ${LOST_AFTER_MS / 1000} s`);
  }

  /** Brings its records here while they grow; from where it was, when the connection broke. */
  private async follow(): Promise<void> {
    while (!this.over && performance.now() < (this.exited ?? Number.POSITIVE_INFINITY) + FOLLOWED_WITHIN_MS) {
      const have = (await stat(this.records).catch(() => ({ size: 0 }))).size;
      const { stdout } = this.talk(
        `until [ -e k6.records ] || [ -e exit ]; do sleep 0.1; done; tail -c +${have + 1} -f --sleep-interval=0.2 --pid=$(cat pid) k6.records`,
      );
      await pipeline(stdout, createWriteStream(this.records, { flags: 'a' }));
      if (await isComplete(this.records)) return;
      await sleep(AGAIN_MS);
    }
  }

  private async finish(exitCode: number): Promise<void> {
    this.exited = performance.now();
    const withinMs = exitCode > KILLED ? KILLED_FOLLOWED_WITHIN_MS : FOLLOWED_WITHIN_MS;
    const enough = sleep(withinMs, undefined, { ref: false });
    await Promise.race([this.following.catch(() => {}), enough]);
    const said = await inPod(this.pod, 'tail -n 20 k6.stderr k6.log 2>/dev/null').catch(() => '');
    await writeFile(this.said, said);
    if (exitCode === 0 && !(await isComplete(this.records)))
      this.setEnded({
        exitCode: RECORDS_LOST,
        detail: `not all records of k6 in pod ${this.pod.name} came here`,
      });
    else
      this.setEnded({
        exitCode,
        detail: exitCode === 0 ? '' : `in pod ${this.pod.name}: ${said.trim().slice(-800)}`,
      });
  }
}
