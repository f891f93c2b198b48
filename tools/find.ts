import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { exec } from './exec.ts';
import { cacheDirectory, goBinDirectories, type Machine, pathDirectories, which } from './machine.ts';
import { PINS, type ToolName, type VersionQuery } from './pins.ts';
import { compareVersions } from './versions.ts';

/** Where a tool was found: on PATH, in Faultline's cache, where `go install` puts it, or in a package's directory. */
export type ToolSource = 'path' | 'cache' | 'go' | 'apt';

export interface ResolvedTool {
  name: ToolName;
  /** Absolute path of the executable. */
  path: string;
  /** Digits and dots. */
  version: string;
  source: ToolSource;
}

/** An executable of the right name that will not do. */
export interface UnfitTool {
  path: string;
  /** Undefined when it did not tell. */
  version?: string;
  why: string;
}

export interface Finding {
  name: ToolName;
  tool?: ResolvedTool;
  /** What was found before, and passed over. */
  unfit: UnfitTool[];
}

/** Generous, since a version is asked on machines under full load; a tool that hangs is passed over. */
const VERSION_TIMEOUT_MS = 20_000;

/** Looks for one tool: PATH first, then the cache, Go's directories and the package's directories. Installs nothing. */
export async function findTool(name: ToolName, machine: Machine): Promise<Finding> {
  const finding: Finding = { name, unfit: [] };
  const minimum = PINS[name].minimum;
  for (const { path, source } of candidates(name, machine)) {
    const version = await askVersion(name, path, machine);
    if (version === undefined)
      finding.unfit.push({ path, why: `does not tell ${PINS[name].tells ?? 'its version'}` });
    else if (compareVersions(version, minimum) < 0)
      finding.unfit.push({ path, version, why: `${version} is older than ${minimum}` });
    else {
      finding.tool = { name, path, version, source };
      break;
    }
  }
  return finding;
}

/** {@link findTool} for many, at once. */
export function findTools(names: readonly ToolName[], machine: Machine): Promise<Finding[]> {
  return Promise.all(names.map((name) => findTool(name, machine)));
}

function candidates(name: ToolName, machine: Machine): { path: string; source: ToolSource }[] {
  const pin = PINS[name];
  const places: [ToolSource, string[]][] = [
    ['path', pathDirectories(machine)],
    ['cache', cachedVersions(name, machine)],
    ['go', pin.go ? goBinDirectories(machine) : []],
    ['apt', (pin.directories ?? []).map((directory) => machine.root + directory)],
  ];
  const found = new Map<string, ToolSource>();
  for (const [source, directories] of places)
    for (const directory of directories)
      for (const command of pin.commands) {
        const path = executable(join(directory, command));
        if (path !== undefined && !found.has(path)) found.set(path, source);
      }
  return [...found].map(([path, source]) => ({ path, source }));
}

/** The cache's directories of one tool, the newest version first. */
function cachedVersions(name: ToolName, machine: Machine): string[] {
  const cache = cacheDirectory(machine);
  const prefix = `${name}-`;
  return list(cache)
    .filter((entry) => entry.startsWith(prefix) && /^\d+(\.\d+)*$/.test(entry.slice(prefix.length)))
    .sort((a, b) => compareVersions(b.slice(prefix.length), a.slice(prefix.length)))
    .map((entry) => join(cache, entry));
}

/**
 * The path when it can be executed. Debian wraps RabbitMQ's commands in a script that insists on the user `rabbitmq` and
 * on the system's own broker; the unwrapped command stands beside the wrapper.
 */
function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    if (!statSync(path).isFile()) return undefined;
    const real = realpathSync(path);
    if (basename(real) !== 'rabbitmq-script-wrapper') return path;
    return executable(join(dirname(real), basename(path)));
  } catch {
    return undefined;
  }
}

async function askVersion(name: ToolName, path: string, machine: Machine): Promise<string | undefined> {
  for (const query of PINS[name].version) {
    const version = await ask(query, path, machine);
    if (version !== undefined) return version;
  }
  return undefined;
}

async function ask(query: VersionQuery, path: string, machine: Machine): Promise<string | undefined> {
  if ('realPath' in query) return query.realPath.exec(realpathSync(path))?.[1];
  const command = commandOf(query.command, path, machine);
  if (command === undefined) return undefined;
  const args = query.args.map((arg) => arg.replace('{path}', path));
  const { code, output } = await exec(command, args, { env: machine.env, timeoutMs: VERSION_TIMEOUT_MS });
  return code === 0 ? query.pattern.exec(output)?.[1] : undefined;
}

function commandOf(
  other: { name: string; from: 'sibling' | 'path' } | undefined,
  path: string,
  machine: Machine,
): string | undefined {
  if (other === undefined) return path;
  if (other.from === 'sibling') return executable(join(dirname(path), other.name));
  return which(machine, other.name);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
