/** The image of the reference platform: Node, the platform's code, and the npm packages that it imports, as they are installed here. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../base/errors.ts';
import type { Tell } from './cache.ts';
import type { Engine } from './engine.ts';
import { buildImage, contentTag, ensureImage, NOBODY } from './images.ts';
import { TOOLS_SYSTEM } from './pins.ts';
import { systemImage } from './system-image.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What platform/ imports; platform-image.test.ts compares it with the code. */
export const PACKAGES = ['@kubernetes/client-node', 'amqplib', 'aws4fetch', 'prom-client', 'zod'];

/** Raised when the way in which the image is put together changes. 2: its files can be read whatever the umask was. */
const RECIPE = 2;

/** Tag of the platform's image as this checkout has it; no engine is asked. */
export function platformTag(): string {
  const hash = createHash('sha256');
  for (const file of platformFiles())
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)));
  const versions = closure(PACKAGES).map((name) => [name, versionOf(name)]);
  return contentTag('platform', [RECIPE, TOOLS_SYSTEM, process.version, versions, hash.digest('hex')]);
}

/** Makes the image unless the engine has it. @returns its tag */
export async function platformImage(engine: Engine, tell: Tell): Promise<string> {
  const tag = platformTag();
  const from = await systemImage(engine, 'tools-system', TOOLS_SYSTEM, tell);
  await ensureImage(engine, tag, tell, async (directory) => {
    for (const file of platformFiles()) cpSync(join(ROOT, file), join(directory, 'app', file));
    for (const name of closure(PACKAGES))
      cpSync(join(ROOT, 'node_modules', name), join(directory, 'app/node_modules', name), {
        recursive: true,
        // Half of the packages' size, and nothing that runs.
        filter: (path) => !/\.(map|d\.[cm]?ts|md)$/.test(path),
      });
    mkdirSync(join(directory, 'bin'));
    cpSync(process.execPath, join(directory, 'bin/node'));
    writeFileSync(join(directory, 'app/package.json'), '{ "type": "module", "private": true }\n');
    writeFileSync(
      join(directory, 'Dockerfile'),
      `FROM ${from}
COPY bin/node /usr/local/bin/
COPY app /app
WORKDIR /app/platform
USER ${NOBODY}
ENTRYPOINT ["/usr/local/bin/node"]
`,
    );
    await buildImage(engine, tag, directory);
  });
  return tag;
}

function platformFiles(): string[] {
  return globSync('platform/**/*.ts', { cwd: ROOT })
    .filter((file) => !file.startsWith('platform/testing/') && !basename(file).endsWith('.test.ts'))
    .sort();
}

/** The packages and all that they need, in the order of their names. */
function closure(names: string[]): string[] {
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const needed of Object.keys(manifest(name).dependencies ?? {})) add(needed);
  };
  for (const name of names) add(name);
  return [...found].sort();
}

const versionOf = (name: string) => manifest(name).version;

function manifest(name: string): { version: string; dependencies?: Record<string, string> } {
  const file = join(ROOT, 'node_modules', name, 'package.json');
  if (!existsSync(file)) throw new HarnessError(`npm package ${name} is not installed: run \`npm ci\``);
  return JSON.parse(readFileSync(file, 'utf8'));
}
