/**
 * What the image of a function stands on: Node, the libraries that it is linked with, and the platform's runtime. Nothing else: each
 * build unpacks all of it and takes a snapshot of it, which is most of what a build costs.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tell } from './cache.ts';
import type { Engine } from './engine.ts';
import { buildImage, contentTag, ensureImage, NOBODY } from './images.ts';
import { TOOLS_SYSTEM } from './pins.ts';
import { systemImage } from './system-image.ts';

const RUNTIME = join(import.meta.dirname, '../platform/runtime/host.ts');

/** Raised when the way in which the image is put together changes. 2: its files can be read whatever the umask was. */
const RECIPE = 2;

/** By which the engine knows the first stage, which it would keep for ever. */
const STAGE = 'dev.faultline.stage=function-base';

/** `ldd` names the libraries with their paths, the loader among them. */
const dockerfile = (system: string) => `FROM ${system} AS system
LABEL ${STAGE}
COPY node host.ts /usr/local/bin/
RUN mkdir /base && cp --parents --dereference --target-directory=/base \\
  $(ldd /usr/local/bin/node | grep -o '/[^ ]*') /usr/local/bin/node /usr/local/bin/host.ts
FROM scratch
COPY --from=system /base/ /
USER ${NOBODY}
ENTRYPOINT ["/usr/local/bin/node", "/usr/local/bin/host.ts"]
`;

/** Makes the image unless the engine has it. @returns its tag */
export async function functionBaseImage(engine: Engine, tell: Tell): Promise<string> {
  const system = await systemImage(engine, 'tools-system', TOOLS_SYSTEM, tell);
  const runtime = createHash('sha256').update(readFileSync(RUNTIME)).digest('hex');
  const tag = contentTag('function-base', [RECIPE, dockerfile(system), process.version, runtime]);
  await ensureImage(engine, tag, tell, async (directory) => {
    copyFileSync(process.execPath, join(directory, 'node'));
    copyFileSync(RUNTIME, join(directory, 'host.ts'));
    writeFileSync(join(directory, 'Dockerfile'), dockerfile(system));
    await buildImage(engine, tag, directory);
    await engine.undo(['image', 'prune', '--force', '--filter', `label=${STAGE}`]);
  });
  return tag;
}
