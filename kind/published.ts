/**
 * Commands that upstream publishes, taken out of its images instead of being compiled: the same version, the same place in our images,
 * so both ways give the same cluster. Each image is named by the digest of its content (kind/pins.ts).
 */
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { built, contentKey, kindCache, type Step, type Tell } from './cache.ts';
import type { Engine } from './engine.ts';
import { fetchModules, goCommands, keepFiles } from './go-build.ts';
import type { GoSource, PublishedImage } from './pins.ts';

/** `auto`: what is there already; else published, where that can be pulled; else source. */
const ORIGINS = ['auto', 'published', 'source'] as const;
export type Origin = (typeof ORIGINS)[number];

/** @param text value of IMAGES in the environment @throws RefusedError */
export function originOf(text: string | undefined): Origin {
  const origin = ORIGINS.find((name) => name === (text || 'auto'));
  if (origin !== undefined) return origin;
  throw new RefusedError([{ file: 'IMAGES', message: `"${text}": expected ${ORIGINS.join(', ')}` }]);
}

/** @returns the directory in which the commands stand, each under its own name @throws HarnessError when they can not be had as was asked */
export type GetCommands = (name: string, source: GoSource) => Promise<string>;

export interface CommandSource {
  get: GetCommands;
  /** Of each name that was got, for the bundle: its module or its images, and why a way that was wanted was not taken. */
  provenance: Record<string, string>;
}

export function commandsFrom(
  origin: Origin,
  options: {
    engine: Engine;
    tell: Tell;
    cache?: string;
    /** All that will be asked for, in this order: while one is compiled, the modules of the next are fetched. */
    upcoming?: Readonly<Record<string, GoSource>>;
  },
): CommandSource {
  const { engine, tell, cache = kindCache(), upcoming = {} } = options;
  const provenance: Record<string, string> = {};
  /** By registry, what it said: one that can not be reached is not asked again for each image. */
  const unreachable = new Map<string, string>();

  let isFetching = false;
  /** Only what will be compiled: of what is pulled, no module is wanted. */
  async function fetchUpcoming(name: string): Promise<void> {
    if (isFetching) return;
    isFetching = true;
    const all = Object.entries(upcoming);
    for (const [next, source] of all.slice(all.findIndex(([each]) => each === name) + 1)) {
      const pulled =
        origin !== 'source' && source.published?.every(({ image }) => !unreachable.has(registryOf(image)));
      if (!pulled && !areCached(next, source, cache)) await fetchModules(next, source, cache);
    }
  }

  async function compile(name: string, source: GoSource, why?: string): Promise<string> {
    if (!isThere(goCommands(name, source), cache)) void fetchUpcoming(name);
    const directory = await built(goCommands(name, source), tell, cache);
    const { module, version, alsoRequire = {} } = source;
    const others = Object.keys(alsoRequire).filter((other) => other !== module);
    const graph = others.length > 0 ? `, in one module graph with ${others.join(', ')}` : '';
    provenance[name] = `built from ${module}@v${version}${graph}${why ? ` (${why})` : ''}`;
    return directory;
  }

  async function takePublished(name: string, source: GoSource, images: PublishedImage[]): Promise<string> {
    const step = publishedCommands(name, source, images, engine);
    const silent = images.find(({ image }) => unreachable.has(registryOf(image)));
    if (silent !== undefined && !isThere(step, cache))
      throw new HarnessError(`${silent.image} is not tried: ${unreachable.get(registryOf(silent.image))}`);
    const directory = await built(step, tell, cache);
    provenance[name] = `taken from ${images.map(({ image }) => image).join(' and ')}`;
    return directory;
  }

  async function get(name: string, source: GoSource): Promise<string> {
    const { published } = source;
    if (origin === 'source') return compile(name, source);
    if (published === undefined) return compile(name, source, 'no published image of it is pinned');
    const isBuilt = isThere(goCommands(name, source), cache);
    if (origin === 'auto' && isBuilt && !isThere(publishedStep(name, source, published), cache))
      return compile(name, source);
    try {
      return await takePublished(name, source, published);
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      // One image that is not there says nothing of the others.
      if (error instanceof PullError && /dial tcp|no such host|timeout|refused/i.test(error.message))
        unreachable.set(error.registry, error.message);
      if (origin === 'published')
        throw new HarnessError(
          `${error.message}\nIMAGES=published takes ${name} from its published images only: IMAGES=source builds it, IMAGES=auto does where they can not be had`,
        );
      tell(`source   ${name}: ${error.message}`);
      return compile(name, source, error.message);
    }
  }
  return { get, provenance };
}

/** Whether the commands need neither be compiled nor pulled. */
export function areCached(name: string, source: GoSource, cache = kindCache()): boolean {
  const steps = [
    goCommands(name, source),
    ...(source.published ? [publishedStep(name, source, source.published)] : []),
  ];
  return steps.some((step) => isThere(step, cache));
}

class PullError extends HarnessError {
  readonly registry: string;
  constructor(registry: string, message: string) {
    super(message);
    this.registry = registry;
  }
}

type StepIdentity = Pick<Step, 'name' | 'inputs'>;

const isThere = ({ name, inputs }: StepIdentity, cache: string) =>
  existsSync(join(cache, contentKey(name, inputs)));

/** Of another name than the step that compiles: who tries both ways loses neither result. */
const publishedStep = (
  name: string,
  { module, version, keep }: GoSource,
  images: PublishedImage[],
): StepIdentity => ({
  name: `${name}-published`,
  inputs: [images, keep === undefined ? [] : [module, version, keep]],
});

function publishedCommands(name: string, source: GoSource, images: PublishedImage[], engine: Engine): Step {
  return {
    ...publishedStep(name, source, images),
    async build(directory) {
      for (const image of images) await takeOut(engine, image, directory);
      await keepFiles(name, source, directory);
    },
  };
}

async function takeOut(
  engine: Engine,
  { image: named, files, dynamic = [] }: PublishedImage,
  directory: string,
): Promise<void> {
  // Not every command of the engine takes a tag beside the digest.
  const image = named.replace(/:[^:/@]+(?=@)/, '');
  const wasThere = await engine.hasImage(image);
  if (!wasThere) await pull(engine, image);
  // An image FROM scratch may name no command; this one is never started.
  const container = `faultline-${createHash('sha256').update(image).digest('hex').slice(0, 12)}`;
  // Of one that was killed in the middle.
  await engine.undo(['rm', '--force', '--volumes', container]);
  await engine.docker(['create', '--name', container, image, 'never-started']);
  try {
    for (const [command, path] of Object.entries(files)) {
      const file = join(directory, command);
      // What stands there may be a link.
      await engine.docker(['cp', '--follow-link', `${container}:${path}`, file]);
      refuseForeign(file, `${path} of ${named}`, dynamic.includes(command));
      chmodSync(file, 0o755);
    }
  } finally {
    await engine.undo(['rm', '--force', '--volumes', container]);
    if (!wasThere) await engine.undo(['rmi', image]);
  }
}

async function pull(engine: Engine, image: string): Promise<void> {
  try {
    await engine.docker(['pull', '--quiet', image]);
  } catch (error) {
    const said = (error as Error).message.trim().split('\n').at(-1) ?? '';
    throw new PullError(registryOf(image), `${image} can not be pulled: ${said.trim()}`);
  }
}

/** `host[:port]`, as Docker reads names. Source: distribution/reference, normalize.go, splitDockerDomain. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** Source: elf(5). */
const ELF = {
  magic: 0x7f454c46,
  class64: 2,
  programHeaders: 32,
  headerSize: 54,
  headerCount: 56,
  interpreter: 3,
};

/**
 * What is linked dynamically asks for a loader and libraries that our images do not have, and then "no such file" is all that is said.
 * @throws HarnessError when the file is no static program
 */
function refuseForeign(file: string, what: string, mayBeDynamic: boolean): void {
  const descriptor = openSync(file, 'r');
  try {
    const head = Buffer.alloc(4096);
    const length = readSync(descriptor, head, 0, head.length, 0);
    if (length < 64 || head.readUInt32BE(0) !== ELF.magic || head[4] !== ELF.class64)
      throw new HarnessError(`${what} is no 64-bit program for Linux`);
    if (mayBeDynamic) return;
    const at = Number(head.readBigUInt64LE(ELF.programHeaders));
    const size = head.readUInt16LE(ELF.headerSize);
    for (let i = 0; i < head.readUInt16LE(ELF.headerCount); i++)
      if (at + i * size + 4 <= length && head.readUInt32LE(at + i * size) === ELF.interpreter)
        throw new HarnessError(
          `${what} is linked dynamically: it would not start in an image without its loader`,
        );
  } finally {
    closeSync(descriptor);
  }
}
