import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { syncTree } from '../base/sync-tree.ts';
import { exec, lastLines } from './exec.ts';
import { cacheDirectory, type Machine } from './machine.ts';
import { type GoPin, goInstallCommand, type ToolName } from './pins.ts';

/**
 * What all that we build has in common, so that Go compiles a package once for all of it: no debugging information, which nobody here
 * reads (219 s without it for kube-state-metrics with all that it needs, and 235 s with it, on two cores), and no C for names of hosts
 * and users, whether or not a build has C elsewhere.
 */
export const GO_BUILD_FLAGS = ['-trimpath', '-gcflags=all=-dwarf=false', '-tags=netgo,osusergo'];

const TIMEOUT_MS = 20 * 60_000;

export interface GoBuild {
  name: ToolName;
  go: GoPin;
  /** Path of the `go` command. */
  goCommand: string;
}

function goEnvironment(machine: Machine, bin: string): NodeJS.ProcessEnv {
  return {
    ...machine.env,
    GOBIN: bin,
    // No C compiler is needed, and none is looked for.
    CGO_ENABLED: '0',
    // A module may ask for a newer Go than this one: let it fetch that toolchain from the module proxy as well.
    GOTOOLCHAIN: 'auto',
    // The flags of the user's own projects (a vendor directory, a module file) would break a build out of nowhere.
    GOFLAGS: '',
    GO111MODULE: 'on',
    // The compiler is a Go program too: with less garbage collection helm took 147 s on two cores and not 169.
    GOGC: machine.env.GOGC ?? '400',
    // A go.work of the user's, in a directory above, is not about these modules.
    GOWORK: 'off',
  };
}

function goArguments({ go }: GoBuild): string[] {
  const what = go.module === undefined ? `${go.package}@v${go.version}` : '.';
  // No stamp of the checkout: Go asks git for it, which refuses a checkout that belongs to another user.
  return ['-buildvcs=false', ...GO_BUILD_FLAGS, '-ldflags', `-s -w ${go.ldflags ?? ''}`.trim(), what];
}

/** A package with its version is built outside of any module. */
function goDirectory({ go }: GoBuild, machine: Machine): string {
  return go.module === undefined ? cacheDirectory(machine) : resolve(import.meta.dirname, '..', go.module);
}

/**
 * Fetches the modules of a build without compiling them, so that the network works for one tool while the cores work for
 * another. Its failure is no failure: the build itself fetches what is missing, and says what went wrong.
 */
export async function goFetch(build: GoBuild, machine: Machine, signal?: AbortSignal): Promise<void> {
  const env = goEnvironment(machine, cacheDirectory(machine));
  await exec(build.goCommand, ['install', '-n', ...goArguments(build)], {
    env,
    cwd: goDirectory(build, machine),
    timeoutMs: TIMEOUT_MS,
    signal,
  });
}

/**
 * Builds a tool from the Go module proxy into the cache, where it appears whole or not at all, also when the power goes. What an interrupted build
 * has fetched and compiled stays in Go's own caches, so the next one goes on from there.
 *
 * @throws HarnessError with the last lines of Go's output.
 */
export async function goInstall(build: GoBuild, machine: Machine, signal?: AbortSignal): Promise<void> {
  const { name, go, goCommand } = build;
  const cache = cacheDirectory(machine);
  const target = join(cache, `${name}-${go.version}`);
  const partial = join(cache, `.partial-${name}-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  try {
    const result = await exec(goCommand, ['install', ...goArguments(build)], {
      env: goEnvironment(machine, partial),
      cwd: goDirectory(build, machine),
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (result.code !== 0)
      throw new HarnessError(
        `${goInstallCommand(go)} failed (${result.failure ?? `exit code ${result.code}`}). Its last lines:\n${lastLines(result.output)}`,
      );
    await syncTree(partial);
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
