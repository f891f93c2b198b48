/** Images of the engine, each made once under a tag that names its content. */
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { contentKey, kindCache, type Tell } from './cache.ts';
import type { Engine } from './engine.ts';

/** Runs `make` in a temporary directory when the engine has no image of that tag. */
export async function ensureImage(
  engine: Engine,
  tag: string,
  tell: Tell,
  make: (directory: string) => Promise<void>,
): Promise<void> {
  if (await engine.hasImage(tag)) return tell(`cached   image ${tag}`);
  mkdirSync(kindCache(), { recursive: true });
  // Beside the cache and not in /tmp, which may be a small memory disk.
  const directory = join(kindCache(), `.image-${contentKey('image', tag)}-${process.pid}`);
  mkdirSync(directory);
  const began = performance.now();
  tell(`started  image ${tag}`);
  try {
    await make(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  tell(`done     image ${tag} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
}

/** An image with files at the top of its /usr/local/bin: `FROM from`, nothing else. */
export async function commandImage(
  engine: Engine,
  tag: string,
  options: { from: string; files: string[]; entrypoint?: string[] },
): Promise<void> {
  const directory = join(kindCache(), `.image-${contentKey('commands', tag)}-${process.pid}`);
  try {
    mkdirSync(join(directory, 'bin'), { recursive: true });
    for (const file of options.files) {
      const copy = join(directory, 'bin', basename(file));
      copyFileSync(file, copy);
      chmodSync(copy, 0o755);
    }
    const lines = [
      `FROM ${options.from}`,
      // Without it a container of an image from scratch has no PATH, and kubeadm names commands by their name.
      'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'COPY bin/ /usr/local/bin/',
      ...(options.entrypoint ? [`ENTRYPOINT ${JSON.stringify(options.entrypoint)}`] : []),
    ];
    writeFileSync(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`);
    await engine.docker(['build', '--quiet', '--tag', tag, directory]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
