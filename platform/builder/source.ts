/** Fetches and checks a function's source. */
import type { Source } from '../events/commands.ts';
import { type RetryPolicy, sendWithRetry } from './registry-push.ts';

/** The source is not there or is no module: trying again cannot help. */
export class SourceError extends Error {}

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
  // Only jobs that need it pay for loading it.
  const { AwsV4Signer } = await import('aws4fetch');
  const bucket = source.bucket ?? store.bucket;
  const key = source.key.split('/').map(encodeURIComponent).join('/');
  const signed = await new AwsV4Signer({
    method: 'GET',
    url: `${store.endpoint}/${encodeURIComponent(bucket)}/${key}`,
    accessKeyId: store.accessKey ?? '',
    secretAccessKey: store.secretKey ?? '',
    service: 's3',
    region: 'us-east-1',
  }).sign();
  const answer = await sendWithRetry(
    {
      method: 'GET',
      url: signed.url.href,
      headers: Object.fromEntries(signed.headers),
      timeoutMs: 10_000,
    },
    [200, 403, 404],
    policy,
  );
  if (answer.status !== 200) throw new SourceError(`source ${bucket}/${source.key}: ${answer.status}`);
  return answer.body;
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
