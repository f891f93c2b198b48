/** Builds commands from the Go module proxy, each in a module of its own that requires and, for Kubernetes, replaces. */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { GO_BUILD_FLAGS } from '../tools/go-install.ts';
import type { Step } from './cache.ts';
import { run } from './command.ts';
import type { GoSource } from './pins.ts';
import { makeWorkDirectory } from './work-directory.ts';

/** Read when it is used: scripts/kind.ts finds Go, and adds where that is to PATH. */
const goEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CGO_ENABLED: '0',
  GOTOOLCHAIN: 'auto',
  GO111MODULE: 'on',
  GOWORK: 'off',
  // The flags of the user's own projects (a vendor directory, a module file) would break a build out of nowhere.
  GOFLAGS: '',
  // The compiler is a Go program too: with less garbage collection helm took 147 s on two cores and not 169.
  GOGC: process.env.GOGC ?? '400',
});

const isOurs = (path: string) => path.startsWith('./');

/** The commands of a module, as static binaries in the step's directory. */
export function goCommands(name: string, source: GoSource): Step {
  const own = [
    ...Object.values(source.replace ?? {}),
    ...Object.values(source.instead ?? {}),
    ...source.commands,
  ]
    .filter(isOurs)
    .map((by) =>
      readdirSync(join(import.meta.dirname, by)).map((f) =>
        readFileSync(join(import.meta.dirname, by, f), 'utf8'),
      ),
    );
  // Where else it can be had changes nothing of what is built.
  const { published: _, ...compiled } = source;
  return {
    name,
    inputs: [GO_BUILD_FLAGS, compiled, own],
    async build(directory) {
      const work = await wrapper(name, source, directory);
      const flags = ['-s -w', source.ldflags, source.cgo && '-linkmode=external -extldflags=-static'];
      const args = ['-mod=mod', ...GO_BUILD_FLAGS, '-ldflags', flags.filter(Boolean).join(' ')];
      // All at once: a linker has one thread, and what is still to be compiled has the other processors meanwhile.
      await run('go', ['build', ...args, '-o', `${directory}/`, ...source.commands], {
        env: source.cgo ? { ...goEnvironment(), CGO_ENABLED: '1' } : goEnvironment(),
        cwd: work,
      });
      for (const [binary, name] of Object.entries(source.rename ?? {}))
        renameSync(join(directory, binary), join(directory, name));
      for (const kept of source.keep ?? []) await keep(kept, directory, work);
      rmSync(work, { recursive: true });
    },
  };
}

/** What `keep` names of a module, without its commands. */
export async function keepFiles(name: string, source: GoSource, directory: string): Promise<void> {
  if (source.keep === undefined) return;
  const work = await wrapper(name, source, directory);
  for (const kept of source.keep) await keep(kept, directory, work);
  rmSync(work, { recursive: true });
}

/** The module in which the source is required. @returns its directory */
async function wrapper(name: string, source: GoSource, directory: string): Promise<string> {
  const work = join(directory, '.work');
  mkdirSync(work);
  const requires = { [source.module]: source.version, ...source.alsoRequire };
  const downloaded = await Promise.all(
    Object.entries(requires).map(([module, version]) => download(`${module}@v${version}`, work)),
  );
  const originals = downloaded.map(({ GoMod }) => GoMod);
  writeFileSync(join(work, 'go.mod'), await moduleFile(name, source, requires, originals));
  // The sums that the releases were built with: the sum database does not know every module that the proxy has.
  const sums = downloaded.map(({ Dir }) => join(Dir, 'go.sum')).filter((file) => existsSync(file));
  writeFileSync(join(work, 'go.sum'), sums.map((file) => readFileSync(file, 'utf8')).join(''));
  // Beside the module file, which names them relatively: a path of this machine would be part of the binary.
  for (const ours of [...source.commands, ...Object.values(source.replace ?? {})].filter(isOurs))
    cpSync(join(import.meta.dirname, ours), join(work, ours), { recursive: true });
  await putInstead(source, work);
  return work;
}

/** Copies each module of which a package is to be another, puts that in, and takes the copy for the module. */
async function putInstead(source: GoSource, work: string): Promise<void> {
  const copies = new Map<string, string>();
  for (const [place, by] of Object.entries(source.instead ?? {})) {
    const [module, path] = place.split(':') as [string, string];
    const copy = copies.get(module) ?? join(work, `instead-${copies.size}`);
    if (!copies.has(module)) {
      cpSync(await directoryOf(module, work), copy, { recursive: true });
      await writable(copy);
      copies.set(module, copy);
    }
    const files = globSync('*.go', { cwd: join(copy, path) });
    if (files.length === 0)
      throw new HarnessError(`module ${module} has no package ${path}: see kind/pins.ts`);
    for (const file of files) rmSync(join(copy, path, file));
    cpSync(join(import.meta.dirname, by), join(copy, path), { recursive: true });
  }
  // Afterwards: a replaced module has no version to be looked up.
  for (const [module, copy] of copies)
    appendFileSync(join(work, 'go.mod'), `replace ${module} => ./${basename(copy)}\n`);
}

/**
 * Fetches what a later build will need, at the lowest priority, so that the network does not wait for the compiler. What fails here fails
 * again, and is told, when it is built.
 */
export async function fetchModules(name: string, source: GoSource, cache: string): Promise<void> {
  const directory = makeWorkDirectory(cache, `partial-fetch-${name}`);
  try {
    const work = await wrapper(name, source, directory);
    const args = ['list', '-mod=mod', '-deps', ...source.commands];
    await run('nice', ['-n', '19', 'go', ...args], { env: goEnvironment(), cwd: work });
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Copies a part of a module, in the version that the build took, to `<last part of the module>/<path>`. */
async function keep(kept: string, directory: string, work: string): Promise<void> {
  const [module, path] = kept.split(':') as [string, string];
  const to = join(directory, basename(module), path);
  cpSync(join(await directoryOf(module, work), path), to, { recursive: true });
  await writable(join(directory, basename(module)));
}

/** Where the version of a module is that the build takes. */
async function directoryOf(module: string, work: string): Promise<string> {
  const version = await run('go', ['list', '-mod=mod', '-m', '-f', '{{.Version}}', module], {
    env: goEnvironment(),
    cwd: work,
  });
  const { Dir } = await download(`${module}@${version.trim().split('\n').at(-1)}`, work);
  return Dir;
}

/** Files of the module cache are read-only; what cannot be emptied is a nuisance. */
const writable = (directory: string) => run('chmod', ['-R', 'u+w', directory]);

async function download(module: string, cwd: string): Promise<{ GoMod: string; Dir: string }> {
  const text = await run('go', ['mod', 'download', '-json', module], { env: goEnvironment(), cwd });
  return JSON.parse(text.slice(text.indexOf('{')));
}

/** A small program of this project, without dependencies. */
export function ownCommand(name: string, sourceDirectory: string): Step {
  const files = ['go.mod', 'main.go'];
  return {
    name,
    inputs: [GO_BUILD_FLAGS, files.map((file) => readFileSync(join(sourceDirectory, file), 'utf8'))],
    async build(directory) {
      const work = join(directory, '.work');
      mkdirSync(work);
      for (const file of files) copyFileSync(join(sourceDirectory, file), join(work, file));
      await run('go', ['build', ...GO_BUILD_FLAGS, '-ldflags', '-s -w', '-o', 'binary', '.'], {
        env: goEnvironment(),
        cwd: work,
      });
      renameSync(join(work, 'binary'), join(directory, name));
      rmSync(work, { recursive: true });
    },
  };
}

/** @param originals paths of the required modules' own go.mod files, whose replacements by other modules count here too */
async function moduleFile(
  name: string,
  source: GoSource,
  requires: Record<string, string>,
  originals: string[],
): Promise<string> {
  const replaces = new Map<string, string>();
  for (const original of originals) {
    const { Replace } = JSON.parse(
      await run('go', ['mod', 'edit', '-json', original], { env: goEnvironment(), cwd: '/' }),
    ) as { Replace: { Old: { Path: string }; New: { Path: string; Version?: string } }[] | null };
    for (const { Old, New } of Replace ?? [])
      if (New.Version !== undefined) replaces.set(Old.Path, `${New.Path} ${New.Version}`);
  }
  if (source.staging) {
    const twin = source.version.replace(/^1\./, '0.');
    for (const original of originals)
      for (const module of stagingModules(readFileSync(original, 'utf8')))
        replaces.set(module, `${module} v${twin}`);
  }
  for (const [module, by] of Object.entries(source.replace ?? {}))
    replaces.set(module, isOurs(by) ? by : by.replace('@', ' '));
  const lines = [
    `module faultline.dev/build/${name}`,
    'go 1.24',
    ...Object.entries(requires).map(([module, version]) => `require ${module} v${version}`),
    ...[...replaces].map(([module, by]) => `replace ${module} => ${by}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Modules that Kubernetes requires at v0.0.0, since it holds them in its own tree. */
function stagingModules(goMod: string): string[] {
  return [...goMod.matchAll(/^\s+(k8s\.io\/\S+) v0\.0\.0$/gm)].map((m) => m[1] as string);
}
