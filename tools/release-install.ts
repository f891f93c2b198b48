import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import axios from 'axios';
import { HarnessError } from '../base/errors.ts';
import { syncTree } from '../base/sync-tree.ts';
import { exec, lastLines } from './exec.ts';
import { cacheDirectory, type Machine } from './machine.ts';
import type { ReleaseArchive, ToolName } from './pins.ts';

const TIMEOUT_MS = 20 * 60_000;

/** One published archive, and the tools that are wanted from it. */
export interface ReleaseDownload {
  archive: ReleaseArchive;
  version: string;
  tools: { name: ToolName; file: string }[];
}

/**
 * Fetches a published release, compares its checksum with the one of the table, and puts the tools that are wanted into the
 * cache, where each appears whole or not at all.
 *
 * @throws HarnessError when it cannot be fetched, is not what the table says, or lacks a tool; then nothing of it stays
 */
export async function releaseInstall(
  { archive, version, tools }: ReleaseDownload,
  machine: Machine,
  signal?: AbortSignal,
): Promise<void> {
  const cache = cacheDirectory(machine);
  const partial = join(cache, `.partial-release-${process.pid}-${tools[0]?.name}`);
  mkdirSync(partial, { recursive: true });
  try {
    const file = join(partial, 'archive.tar.gz');
    await download(archive.url, file, signal);
    const sum = await sha256(file);
    if (sum !== archive.sha256)
      throw new HarnessError(
        `${archive.url} is not the release of the table: its SHA-256 is ${sum}, expected ${archive.sha256}. It was not used; somebody may have changed it on the way.`,
      );
    const members = tools.map((tool) => tool.file);
    const { code, output, failure } = await exec(
      'tar',
      ['-xzf', file, '--no-same-owner', '-C', partial, ...members],
      {
        env: machine.env,
        timeoutMs: TIMEOUT_MS,
        signal,
      },
    );
    if (code !== 0)
      throw new HarnessError(
        `unpacking ${archive.url} failed (${failure ?? `exit code ${code}`}). Its last lines:\n${lastLines(output)}`,
      );
    for (const tool of tools) {
      const target = join(cache, `${tool.name}-${version}`);
      rmSync(target, { recursive: true, force: true });
      mkdirSync(`${partial}/${tool.name}`);
      renameSync(join(partial, tool.file), join(partial, tool.name, basename(tool.file)));
      await syncTree(join(partial, tool.name));
      renameSync(join(partial, tool.name), target);
    }
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function download(url: string, file: string, signal?: AbortSignal): Promise<void> {
  // axios's own time-out ends with the headers of the answer.
  const end = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]);
  try {
    const { data } = await axios.get(url, { responseType: 'stream', signal: end });
    await pipeline(data, createWriteStream(file), { signal: end });
  } catch (error) {
    if (signal?.aborted) throw new HarnessError(`download of ${url} was interrupted`);
    throw new HarnessError(`download of ${url} failed: ${(error as Error).message}`, { cause: error });
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
