/**
 * A build job: its own process, told by its parent over IPC what to build; it answers with one result and ends. It ends
 * too when the parent goes, SIGKILL included, for then the channel closes.
 */
import type { Source } from '../events/commands.ts';
import { makeImage } from './oci-image.ts';
import { pushImage } from './registry-push.ts';
import { checkSource, endOf, fetchSource, type ObjectStore } from './source.ts';

export interface JobSpec {
  /** Of the command that asked for it: the same for a redelivered one. */
  id: string;
  name: string;
  repository: string;
  registry: string;
  source: Source;
  handler: string;
  version: string;
  store: ObjectStore;
  maxAttempts: number;
  baseMs: number;
  maxMs: number;
  giveUpOn429: boolean;
}

export type JobResult =
  | { type: 'built'; tag: string; digest: string; sizeBytes?: number; cpuMs?: number }
  | { type: 'failed'; reason: 'source' | 'registry' | 'internal'; message: string; attempts: number };

export type JobMessage = JobResult | { type: 'retry'; attempt: number; reason: string; delayMs: number };

async function build(spec: JobSpec): Promise<JobResult> {
  const policy = {
    maxAttempts: spec.maxAttempts,
    baseMs: spec.baseMs,
    maxMs: spec.maxMs,
    giveUpOn429: spec.giveUpOn429,
    onRetry: (retry: { attempt: number; reason: string; delayMs: number }) =>
      process.send?.({ type: 'retry', ...retry } satisfies JobMessage),
  };
  try {
    const code = await fetchSource(spec.source, spec.store, policy);
    checkSource(code);
    const image = makeImage({ name: spec.name, code, handler: spec.handler, version: spec.version });
    await pushImage(spec.registry, spec.repository, image, policy);
    const sizeBytes = [image.layer, image.config, image.manifest].reduce((sum, b) => sum + b.bytes.length, 0);
    const { user, system } = process.cpuUsage();
    return {
      type: 'built',
      tag: image.tag,
      digest: image.manifest.digest,
      sizeBytes,
      cpuMs: Math.round((user + system) / 1000),
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return endOf(error) ?? { type: 'failed', reason: 'internal', message, attempts: 1 };
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', (spec: JobSpec) => {
  build(spec).then((result) => process.send?.(result, () => process.exit(0)));
});
