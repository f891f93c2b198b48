/** Builds commands from the Go module proxy, each in a module of its own that requires and, for Kubernetes, replaces. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Step } from './cache.ts';
import { run } from './command.ts';
import type { GoSource } from './pins.ts';

const ENV = {
  ...process.env,
  CGO_ENABLED: '0',
  GOTOOLCHAIN: 'auto',
  GO111MODULE: 'on',
  // The flags of the user's own projects (a vendor directory, a module file) would break a build out of nowhere.
  GOFLAGS: '',
};

/** The commands of a module, as static binaries in the step's directory. */
export function goCommands(name: string, source: GoSource): Step {
  return {
    name,
    inputs: source,
    async build(directory) {
      const work = join(directory, '.work');
      mkdirSync(work);
      writeFileSync(join(work, 'go.mod'), await moduleFile(name, source, work));
      const args = ['-mod=mod', '-trimpath', '-ldflags', `-s -w ${source.ldflags ?? ''}`.trim()];
      for (const command of source.commands) {
        const binary = binaryOf(command);
        await run(
          'go',
          ['build', ...args, '-o', join(directory, source.rename?.[binary] ?? binary), command],
          {
            env: ENV,
            cwd: work,
          },
        );
      }
      rmSync(work, { recursive: true });
    },
  };
}

/** A small program of this project, without dependencies. */
export function ownCommand(name: string, sourceDirectory: string): Step {
  const files = ['go.mod', 'main.go'];
  return {
    name,
    inputs: files.map((file) => readFileSync(join(sourceDirectory, file), 'utf8')),
    async build(directory) {
      const work = join(directory, '.work');
      mkdirSync(work);
      for (const file of files) copyFileSync(join(sourceDirectory, file), join(work, file));
      await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', 'binary', '.'], {
        env: ENV,
        cwd: work,
      });
      renameSync(join(work, 'binary'), join(directory, name));
      rmSync(work, { recursive: true });
    },
  };
}

/** The last part of an import path that is not a major version. */
function binaryOf(command: string): string {
  const parts = command.split('/');
  const last = basename(command);
  return /^v\d+$/.test(last) ? (parts.at(-2) as string) : last;
}

async function moduleFile(name: string, source: GoSource, cwd: string): Promise<string> {
  const requires = { [source.module]: source.version, ...source.alsoRequire };
  const lines = [
    `module faultline.dev/build/${name}`,
    'go 1.24',
    ...Object.entries(requires).map(([module, version]) => `require ${module} v${version}`),
  ];
  if (source.staging) {
    const twin = source.version.replace(/^1\./, '0.');
    for (const module of await stagingModules(source, cwd))
      lines.push(`replace ${module} => ${module} v${twin}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Modules that Kubernetes requires at v0.0.0, since it holds them in its own tree. */
async function stagingModules(source: GoSource, cwd: string): Promise<string[]> {
  const text = await run('go', ['mod', 'download', '-json', `${source.module}@v${source.version}`], {
    env: ENV,
    cwd,
  });
  const { GoMod } = JSON.parse(text.slice(text.indexOf('{'))) as { GoMod: string };
  return [...readFileSync(GoMod, 'utf8').matchAll(/^\s+(k8s\.io\/\S+) v0\.0\.0$/gm)].map(
    (m) => m[1] as string,
  );
}
