/** Images of the engine, each made once under a tag that names its content. */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { contentKey, kindCache, type Tell } from './cache.ts';
import { run } from './command.ts';
import type { Engine } from './engine.ts';
import { makeWorkDirectory, removeWork } from './work-directory.ts';

/** As whom containers run that need no rights. */
export const NOBODY = 65_532;

/** A tag that names what an image was made of. */
export function contentTag(name: string, parts: unknown): string {
  return `faultline.dev/${name}:${contentKey(name, parts).slice(name.length + 1)}`;
}

/** Runs `make` in a temporary directory when the engine has no image of that tag. */
export async function ensureImage(
  engine: Engine,
  tag: string,
  tell: Tell,
  make: (directory: string) => Promise<void>,
): Promise<void> {
  if (await engine.hasImage(tag)) return tell(`cached   image ${tag}`);
  const directory = makeWorkDirectory(kindCache(), contentKey('image', tag));
  const began = performance.now();
  tell(`started  image ${tag}`);
  try {
    await make(directory);
  } finally {
    await removeWork(directory, tell);
  }
  tell(`done     image ${tag} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
}

/** Builds the image of a directory with a Dockerfile. Whoever a container runs as can read what is in it: this user's umask is not the image's. */
export async function buildImage(engine: Engine, tag: string, directory: string): Promise<void> {
  await run('chmod', ['-R', 'a+rX,u+w', directory]);
  await engine.docker(['build', '--quiet', '--tag', tag, directory]);
}

export interface CommandImage {
  from: string;
  files: string[];
  /** Where the files go; default /usr/local/bin. */
  directory?: string;
  entrypoint?: string[];
  /** Default: root. */
  user?: number;
  env?: Record<string, string>;
}

/** Its tag: by what the files hold, since where they are is another place in every clone. */
export function commandTag(name: string, image: CommandImage): string {
  return contentTag(name, [
    { ...image, files: image.files.map((file) => [basename(file), contentOf(file)]) },
  ]);
}

/** The key of the build that a file came from, or the file itself. */
function contentOf(file: string): string {
  const directory = basename(join(file, '..'));
  if (/-[0-9a-f]{12}$/.test(directory)) return directory;
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** An image that adds executable files to another, or to nothing (`from: 'scratch'`). */
export async function commandImage(engine: Engine, tag: string, image: CommandImage): Promise<void> {
  const work = makeWorkDirectory(kindCache(), `image-${contentKey('commands', tag)}`);
  // Without a PATH, kubeadm does not find commands that it names by their name.
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...image.env };
  try {
    mkdirSync(join(work, 'files'));
    for (const file of image.files) {
      const copy = join(work, 'files', basename(file));
      copyFileSync(file, copy);
      chmodSync(copy, 0o755);
    }
    const lines = [
      `FROM ${image.from}`,
      `ENV ${Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
      `COPY files/ ${image.directory ?? '/usr/local/bin'}/`,
      ...(image.user === undefined ? [] : [`USER ${image.user}`]),
      ...(image.entrypoint ? [`ENTRYPOINT ${JSON.stringify(image.entrypoint)}`] : []),
    ];
    writeFileSync(join(work, 'Dockerfile'), `${lines.join('\n')}\n`);
    await buildImage(engine, tag, work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
