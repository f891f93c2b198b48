/**
 * Runs k6 for all streams of a plan in pods of the cluster, each an equal share of every k6 scenario (k6's execution segments). Their
 * records are followed into files of this host and imported as one: percentiles are exact, as if it had been one k6.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HarnessError } from '../../base/errors.ts';
import { k6Environment } from './k6-command.ts';
import { k6Options, loadConfig } from './k6-files.ts';
import { LiveTail } from './live-tail.ts';
import { type PodLoadOptions, Shard } from './shard.ts';
import type { LoadEnd, LoadHandle } from './start.ts';

/** From the decision to begin until all k6 begin, each by the clock of its own pod: time enough to tell each of them. */
const BEGIN_IN_MS = 3000;
const BEGIN_EACH_MS = 200;

/** @throws HarnessError when k6 does not start in every pod, or a clock is too far from this host's */
export async function startLoadInPods(o: PodLoadOptions): Promise<LoadHandle> {
  const at = (name: string): string => join(o.workDir, name);
  await mkdir(o.workDir, { recursive: true });
  await writeFile(at('load.json'), JSON.stringify(loadConfig(o.run, o.streams)));
  await writeFile(at('options.json'), JSON.stringify(k6Options(o.streams, o.pods.length)));
  // The scripts with all that they import and open, in one file.
  const archive = ['archive', '--config', at('options.json'), '-e', `FAULTLINE_LOAD=${at('load.json')}`];
  const pack = [...archive, '--archive-out', at('load.tar'), o.scriptPath];
  await promisify(execFile)(o.k6Path, pack, { cwd: o.workDir, env: k6Environment(o.workDir) }).catch(
    (cause) => {
      throw new HarnessError(`k6 could not pack the load: ${cause.stderr ?? cause.message}`, { cause });
    },
  );
  const shards = o.pods.map((pod, index) => new Shard(o, pod, index, o.pods.length));
  try {
    await Promise.all(shards.map((shard) => shard.start()));
  } catch (error) {
    for (const shard of shards) shard.giveUp((error as Error).message);
    throw error;
  }
  // Once: a second signal would cut off k6's records.
  let stopping: Promise<unknown> | undefined;
  const stopAll = () => {
    stopping ??= Promise.all(shards.map((shard) => shard.stop()));
    return stopping;
  };
  let bad: LoadEnd | undefined;
  const ends = shards.map(async (shard) => {
    const end = await shard.ended;
    if (end.exitCode === 0) return;
    // What the others would still send is not the planned load; and a run is not to go on for long without it.
    bad ??= end;
    void stopAll();
  });
  const done = Promise.all(ends).then((): LoadEnd => bad ?? { exitCode: 0, detail: '' });
  const rawFiles = shards.map(({ records }) => records);
  const tail = new LiveTail(rawFiles);
  return {
    cpuSeconds: () => shards.reduce((sum, shard) => sum + shard.cpuSeconds(), 0),
    rawFiles,
    said: shards.map(({ said }) => said),
    async begin() {
      const startMs = Date.now() + BEGIN_IN_MS + BEGIN_EACH_MS * shards.length;
      await Promise.all(shards.map((shard) => shard.begin(startMs)));
      return startMs * 1000;
    },
    live: () => tail.read(),
    stop: async () => {
      await stopAll();
      await done;
    },
    done,
  };
}
