/** Fetches and checks a function's source. */
import type { Source } from '../events/commands.ts';
import type { JobResult } from './job.ts';
import { RegistryError, type RetryPolicy, sendWithRetry } from './registry-push.ts';

/** The source is not there or is no module: trying again cannot help. */
export class SourceError extends Error {}

/**
 * What a build ends in when its source cannot be had, or its image not be pushed; undefined for any other error, after which a build may
 * be begun anew. An object store that does not serve is `registry` too: worth no other word to its clients.
 */
export function endOf(error: unknown): Extract<JobResult, { type: 'failed' }> | undefined {
  if (error instanceof SourceError)
    return { type: 'failed', reason: 'source', message: error.message, attempts: 1 };
  if (error instanceof RegistryError)
    return { type: 'failed', reason: 'registry', message: error.message, attempts: error.attempts };
  return undefined;
}

export interface ObjectStore {
  endpoint?: string | undefined;
  accessKey?: string | undefined;
  secretKey?: string | undefined;
  bucket: string;
}

/** The source's bytes. Throws SourceError, or RegistryError when the object store does not serve it in time. */
export async function fetchSource(source: Source, store: ObjectStore, policy: RetryPolicy): Promise<Buffer> {
  if (source.type === 'inline') return Buffer.from(source.code);
  if (!store.endpoint)
    throw new SourceError('source is in an object store, but the builder has no S3_ENDPOINT');
  const bucket = source.bucket ?? store.bucket;
  const answer = await sendWithRetry(await signed('GET', store, bucket, source.key), [200, 403, 404], policy);
  if (answer.status !== 200) throw new SourceError(`source ${bucket}/${source.key}: ${answer.status}`);
  return answer.body;
}

/** Puts an inline source into the object store, where the build on a cluster takes it from. @returns where it is then */
export async function storeSource(source: Source, store: ObjectStore, policy: RetryPolicy): Promise<Source> {
  if (source.type !== 'inline') return source;
  const digest = process
    .getBuiltinModule('node:crypto')
    .createHash('sha256')
    .update(source.code)
    .digest('hex');
  const key = `inline/${digest}.mjs`;
  const body = Buffer.from(source.code);
  const answer = await sendWithRetry(
    await signed('PUT', store, store.bucket, key, body),
    [200, 403, 404],
    policy,
  );
  if (answer.status !== 200)
    throw new SourceError(`source ${store.bucket}/${key} can not be stored: ${answer.status}`);
  return { type: 's3', key };
}

async function signed(method: 'GET' | 'PUT', store: ObjectStore, bucket: string, key: string, body?: Buffer) {
  // Only jobs that need it pay for loading it.
  const { AwsV4Signer } = await import('aws4fetch');
  const path = key.split('/').map(encodeURIComponent).join('/');
  const { url, headers } = await new AwsV4Signer({
    method,
    url: `${store.endpoint}/${encodeURIComponent(bucket)}/${path}`,
    accessKeyId: store.accessKey ?? '',
    secretAccessKey: store.secretKey ?? '',
    service: 's3',
    region: 'us-east-1',
    ...(body === undefined ? {} : { body }),
  }).sign();
  const all = {
    ...Object.fromEntries(headers),
    ...(body === undefined ? {} : { 'content-length': body.length }),
  };
  return { method, url: url.href, headers: all, timeoutMs: 10_000, ...(body === undefined ? {} : { body }) };
}

/** Throws SourceError when the bytes are no JavaScript module (syntax only; nothing of it is run). */
export function checkSource(code: Buffer): void {
  const vm = process.getBuiltinModule('node:vm');
  try {
    new vm.SourceTextModule(code.toString('utf8'), { identifier: 'function/index.mjs' });
  } catch (error) {
    throw new SourceError(`source is no JavaScript module: ${(error as Error).message}`);
  }
}
