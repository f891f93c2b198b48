/**
 * A real OCI image of one function: one gzipped tar layer, config and manifest, all deterministic, so that the same
 * source gives the same digests. https://github.com/opencontainers/image-spec (v1.1).
 */
const crypto = process.getBuiltinModule('node:crypto');
const zlib = process.getBuiltinModule('node:zlib');

export const MEDIA = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** Where the function's code lies in the image. */
export const CODE_PATH = 'function/index.mjs';

export interface Blob {
  mediaType: string;
  digest: string;
  bytes: Buffer;
}

export interface OciImage {
  /** First 12 hex digits of a sha256 over the function's name, runtime and source. */
  tag: string;
  layer: Blob;
  config: Blob;
  manifest: Blob;
}

export const sha256 = (bytes: Buffer | string) =>
  `sha256:${crypto.createHash('sha256').update(bytes).digest('hex')}`;

const blob = (mediaType: string, bytes: Buffer): Blob => ({ mediaType, digest: sha256(bytes), bytes });
const descriptor = ({ mediaType, digest, bytes }: Blob) => ({ mediaType, digest, size: bytes.length });

/** One ustar entry: owner root, time 0, padded to 512 bytes. `name` has at most 100 bytes. */
export function tarEntry(name: string, bytes: Buffer, kind: 'file' | 'directory' = 'file'): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`tar: name too long: ${name}`);
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(kind === 'file' ? 0o644 : 0o755, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(bytes.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write(kind === 'file' ? '0' : '5', 156);
  header.write('ustar\x0000', 257);
  header.write('root', 265);
  header.write('root', 297);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

export interface FunctionCode {
  name: string;
  code: Buffer;
  /** Name of the export that is called. */
  handler: string;
  /** Major version of Node.js that the function asks for. */
  version: string;
}

export function makeImage(fn: FunctionCode): OciImage {
  const tar = Buffer.concat([
    tarEntry('function/', Buffer.alloc(0), 'directory'),
    tarEntry(CODE_PATH, fn.code),
    Buffer.alloc(1024),
  ]);
  const layer = blob(MEDIA.layer, zlib.gzipSync(tar));
  const config = blob(
    MEDIA.config,
    Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {
          Entrypoint: ['node', '/runtime/host.ts'],
          Env: [`LAMBDA_FUNCTION=${fn.name}`, `LAMBDA_HANDLER=${fn.handler}`, `NODE_VERSION=${fn.version}`],
          Labels: { 'lambda.knative.io/name': fn.name, 'lambda.knative.io/handler': fn.handler },
        },
        rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
        history: [{ created: '1970-01-01T00:00:00Z', created_by: 'knative-lambda builder' }],
      }),
    ),
  );
  const manifest = blob(
    MEDIA.manifest,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.manifest,
        config: descriptor(config),
        layers: [descriptor(layer)],
      }),
    ),
  );
  const identity = JSON.stringify([fn.name, fn.handler, fn.version, sha256(fn.code)]);
  return { tag: sha256(identity).slice('sha256:'.length, 'sha256:'.length + 12), layer, config, manifest };
}
