/** Pushes an image over the registry's HTTP API v2 (OCI distribution spec 1.1), by digest, and checks every answer. */
import { fullJitter, retryAfterMs } from '../common/backoff.ts';
import { NetworkError, type WireRequest, type WireResponse, wire } from '../common/wire.ts';
import type { Blob, OciImage } from './oci-image.ts';

const REQUEST_TIMEOUT_MS = 10_000;

/** The registry did not take the image, or not the image that was sent. */
export class RegistryError extends Error {
  readonly attempts: number;
  constructor(message: string, attempts: number) {
    super(message);
    this.attempts = attempts;
  }
}

export interface RetryPolicy {
  /** Tries of one request, the first included; a request that succeeds starts the count anew for the next. */
  maxAttempts: number;
  baseMs: number;
  maxMs: number;
  /** 429 is final (defect `no-registry-retry`). */
  giveUpOn429: boolean;
  onRetry: (retry: { attempt: number; reason: string; delayMs: number }) => void;
}

const short = (body: Buffer) => body.toString('utf8').trim().slice(0, 200);

/** Sends until the status is one of `expected`. 429, 5xx and network errors are retried, anything else is final. */
export async function sendWithRetry(
  request: WireRequest,
  expected: number[],
  policy: RetryPolicy,
): Promise<WireResponse> {
  for (let attempt = 1; ; attempt++) {
    let reason: string;
    let wait: number | undefined;
    try {
      const answer = await wire(request);
      if (expected.includes(answer.status)) return answer;
      reason =
        `${request.method} ${new URL(request.url).pathname}: ${answer.status} ${short(answer.body)}`.trim();
      const retryable = answer.status >= 500 || (answer.status === 429 && !policy.giveUpOn429);
      if (!retryable) throw new RegistryError(reason, attempt);
      wait = retryAfterMs(answer.headers['retry-after']);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      reason = error.message;
    }
    if (attempt >= policy.maxAttempts)
      throw new RegistryError(`gave up after ${attempt} attempts: ${reason}`, attempt);
    // Retry-After is the least wait; the jitter on top keeps many jobs from coming back together.
    const delayMs = Math.round((wait ?? 0) + fullJitter(attempt - 1, policy.baseMs, policy.maxMs));
    policy.onRetry({ attempt, reason, delayMs });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

/** Pushes config, layer and manifest to `<registry>/v2/<repository>`; resolves when the registry holds the digest. */
export async function pushImage(
  registry: string,
  repository: string,
  image: OciImage,
  policy: RetryPolicy,
): Promise<void> {
  const base = `${registry}/v2/${repository}`;
  await pushBlob(base, image.layer, policy);
  await pushBlob(base, image.config, policy);
  const { mediaType, bytes, digest } = image.manifest;
  const answer = await sendWithRetry(
    {
      method: 'PUT',
      url: `${base}/manifests/${image.tag}`,
      headers: { 'content-type': mediaType },
      body: bytes,
      timeoutMs: REQUEST_TIMEOUT_MS,
    },
    [201],
    policy,
  );
  verifyDigest(answer, digest, 'manifest');
}

async function pushBlob(base: string, blob: Blob, policy: RetryPolicy): Promise<void> {
  const timeoutMs = REQUEST_TIMEOUT_MS;
  const head = await sendWithRetry(
    { method: 'HEAD', url: `${base}/blobs/${blob.digest}`, timeoutMs },
    [200, 404],
    policy,
  );
  if (head.status === 200) {
    verifyDigest(head, blob.digest, 'blob');
    return;
  }
  const session = await sendWithRetry(
    { method: 'POST', url: `${base}/blobs/uploads/`, timeoutMs },
    [202],
    policy,
  );
  const location = session.headers.location;
  if (location === undefined) throw new RegistryError('upload session without a Location', 1);
  const url = new URL(location, `${base}/blobs/uploads/`);
  url.searchParams.set('digest', blob.digest);
  const done = await sendWithRetry(
    {
      method: 'PUT',
      url: url.href,
      headers: { 'content-type': 'application/octet-stream' },
      body: blob.bytes,
      timeoutMs,
    },
    [201],
    policy,
  );
  verifyDigest(done, blob.digest, 'blob');
}

function verifyDigest(answer: WireResponse, expected: string, what: string): void {
  const digest = answer.headers['docker-content-digest'];
  if (digest !== undefined && digest !== expected)
    throw new RegistryError(`the registry holds ${what} ${String(digest)}, not ${expected}`, 1);
}
