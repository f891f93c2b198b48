/** Pulls a function's image from the registry by digest, checks every digest, and unpacks its code into WORK_DIR. */
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { CODE_PATH, MEDIA, sha256 } from '../builder/oci-image.ts';
import { fullJitter, retryAfterMs } from '../common/backoff.ts';
import { NetworkError, type WireRequest, type WireResponse, wire } from '../common/wire.ts';

const TIMEOUT_MS = 5000;
const ATTEMPTS = 5;

/** The image is not there, cannot be had now, or is not what its digest says. */
export class ImageError extends Error {}

const Manifest = z.object({
  layers: z.array(z.object({ digest: z.string(), mediaType: z.string() })).min(1),
});

/** Files of an uncompressed tar; directories and everything else are left out. Throws ImageError on paths that lead outside. */
export function* tarFiles(tar: Buffer): Generator<{ name: string; bytes: Buffer }> {
  const text = (from: number, length: number) =>
    tar
      .toString('utf8', from, from + length)
      .split('\0', 1)
      .join('');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    if (!Number.isSafeInteger(size) || at + 512 + size > tar.length)
      throw new ImageError('layer: broken tar');
    const kind = text(at + 156, 1);
    if (resolve('/root', name).split(sep)[1] !== 'root' || name.startsWith('/'))
      throw new ImageError(`layer: path ${name} leads outside`);
    if (kind === '0' || kind === '') yield { name, bytes: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

export class Images {
  readonly #registry: string;
  readonly #directory: string;
  readonly #pulls = new Map<string, Promise<string>>();

  constructor(registry: string, directory: string) {
    this.#registry = registry;
    this.#directory = directory;
  }

  /** The path of the function's module; pulled once a digest. Throws ImageError. */
  code(repository: string, digest: string): Promise<string> {
    const key = `${repository}@${digest}`;
    const pull = this.#pulls.get(key) ?? this.#pull(repository, digest);
    this.#pulls.set(key, pull);
    pull.catch(() => this.#pulls.delete(key));
    return pull;
  }

  /** Whether the registry has the manifest. Throws ImageError when it does not say. */
  async resolvable(repository: string, digest: string): Promise<boolean> {
    const url = `${this.#registry}/v2/${repository}/manifests/${digest}`;
    const answer = await this.#get({ method: 'HEAD', url, headers: { accept: MEDIA.manifest } }, [200, 404]);
    return answer.status === 200;
  }

  async #pull(repository: string, digest: string): Promise<string> {
    const target = join(this.#directory, digest.replace(':', '-'));
    const code = join(target, CODE_PATH);
    if (await stat(code).catch(() => undefined)) return code;
    const base = `${this.#registry}/v2/${repository}`;
    const manifest = await this.#blob(`${base}/manifests/${digest}`, digest, { accept: MEDIA.manifest });
    const { layers } = Manifest.parse(JSON.parse(manifest.toString('utf8')));
    await mkdir(this.#directory, { recursive: true });
    const fresh = await mkdtemp(join(this.#directory, 'new-'));
    try {
      for (const layer of layers) {
        const bytes = await this.#blob(`${base}/blobs/${layer.digest}`, layer.digest, {});
        const tar = layer.mediaType.endsWith('+gzip') ? await promisify(gunzip)(bytes) : bytes;
        for (const file of tarFiles(tar)) {
          const path = join(fresh, file.name);
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, file.bytes);
        }
      }
      if (!(await stat(join(fresh, CODE_PATH)).catch(() => undefined)))
        throw new ImageError(`image ${repository}@${digest} has no ${CODE_PATH}`);
      // Whoever was first has the same bytes.
      await rename(fresh, target).catch(() => {});
      return code;
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }

  async #blob(url: string, digest: string, headers: Record<string, string>): Promise<Buffer> {
    const { body } = await this.#get({ method: 'GET', url, headers }, [200]);
    const actual = sha256(body);
    if (actual !== digest) throw new ImageError(`${url}: holds ${actual}`);
    return body;
  }

  async #get(request: Omit<WireRequest, 'timeoutMs'>, expected: number[]): Promise<WireResponse> {
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      let wait = 0;
      try {
        const answer = await wire({ ...request, timeoutMs: TIMEOUT_MS });
        if (expected.includes(answer.status)) return answer;
        reason = `${request.url}: ${answer.status}`;
        if (answer.status !== 429 && answer.status < 500) throw new ImageError(reason);
        wait = retryAfterMs(answer.headers['retry-after']) ?? 0;
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        reason = error.message;
      }
      if (attempt >= ATTEMPTS) throw new ImageError(reason);
      await new Promise((done) => setTimeout(done, wait + fullJitter(attempt, 100, 2000)));
    }
  }
}
