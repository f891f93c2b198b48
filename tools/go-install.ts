import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { exec, lastLines } from './exec.ts';
import { cacheDirectory, type Machine } from './machine.ts';
import type { GoPin, ToolName } from './pins.ts';

const TIMEOUT_MS = 20 * 60_000;

/**
 * Builds a tool from the Go module proxy into the cache, where it appears whole or not at all. What an interrupted build
 * has fetched and compiled stays in Go's own caches, so the next one goes on from there.
 *
 * @throws HarnessError with the last lines of Go's output.
 */
export async function goInstall(
  build: { name: ToolName; go: GoPin; goCommand: string },
  machine: Machine,
  signal?: AbortSignal,
): Promise<void> {
  const { name, go, goCommand } = build;
  const cache = cacheDirectory(machine);
  const target = join(cache, `${name}-${go.version}`);
  const partial = join(cache, `.partial-${name}-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  try {
    const env: NodeJS.ProcessEnv = {
      ...machine.env,
      GOBIN: partial,
      // No C compiler is needed, and none is looked for.
      CGO_ENABLED: '0',
      // A module may ask for a newer Go than this one: let it fetch that toolchain from the module proxy as well.
      GOTOOLCHAIN: 'auto',
      // The flags of the user's own projects (a vendor directory, a module file) would break a build out of nowhere.
      GOFLAGS: '',
      GO111MODULE: 'on',
    };
    const args = ['install', '-trimpath', '-ldflags', `-s -w ${go.ldflags ?? ''}`.trim()];
    const result = await exec(goCommand, [...args, `${go.package}@v${go.version}`], {
      env,
      cwd: partial,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (result.code !== 0)
      throw new HarnessError(
        `go install ${go.package}@v${go.version} failed (${result.failure ?? `exit code ${result.code}`}). Its last lines:\n${lastLines(result.output)}`,
      );
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
