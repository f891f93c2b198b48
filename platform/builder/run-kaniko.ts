/**
 * A build on a cluster: one Kubernetes Job, in which an init container fetches the source and writes the build's context, and
 * Kaniko builds and pushes it. A Job's name follows from the command and the attempt, so that a builder that comes back finds
 * what it had begun. Job, container names and labels: PLATFORM.md, "Life of a function".
 */
import { createHash } from 'node:crypto';
import { fullJitter } from '../common/backoff.ts';
import type { Source } from '../events/commands.ts';
import { Cluster, condition, type KubeObject, type Watching } from '../kubernetes/cluster.ts';
import { untilAnswered } from '../kubernetes/until-answered.ts';
import type { JobSpec } from './job.ts';
import { kanikoRefusal, type Refusal } from './kaniko-refusal.ts';
import { CANCELLED, type JobEnd, type Jobs } from './run-job.ts';
import { endOf, storeSource } from './source.ts';

/** How long a finished Job stays, for people to look at. */
const TTL_S = 120;
/** A registry that throttles is asked again by Kaniko itself, 1, 2 and 4 s later: a new Job would begin with all that was fetched. */
const KANIKO_RETRIES = 3;
/**
 * Kaniko takes all that it gets while it unpacks its base. Source: SRE guide, "Kaniko pod resource limits", and "set aggressive resource
 * limits to prevent noisy neighbors". So a build takes some seconds on a fast machine, too.
 */
const KANIKO_CPU = '300m';

export interface KanikoConfig {
  namespace: string;
  /** Kaniko's executor. */
  image: string;
  /** What the image of a function stands on. */
  functionBase: string;
  /** The platform's own image, for the init container. */
  platform: string;
  /** Where the Secret with the object store's keys is. */
  storeSecret: string;
}

type Retry = { attempt: number; reason: string; delayMs: number };

/** How one Job ended; `registry` is worth another. */
type Attempt = JobEnd | ({ type: 'registry' } & Refusal);

export function kanikoJobs(config: KanikoConfig): Jobs {
  const cluster = new Cluster(config.namespace);
  const waiting = new Map<string, (job: KubeObject | undefined) => void>();
  /** By id of the build, the attempt that comes after one that crashed: its Job is still there, and over. */
  const afterCrash = new Map<string, number>();
  const jobs: Watching = cluster.watch(
    { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', labels: 'lambda.knative.io/build=true' },
    (job, gone) => {
      if (gone) waiting.get(job.metadata.name)?.(undefined);
      else if (isOver(job)) waiting.get(job.metadata.name)?.(job);
    },
  );

  async function attempt(
    spec: JobSpec,
    name: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const over = new Promise<KubeObject | undefined>((resolve) => waiting.set(name, resolve));
    let onAbort = () => {};
    const aborted = new Promise<'aborted'>((resolve) => {
      onAbort = () => resolve('aborted');
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const until = performance.now() + deadlineMs;
      await untilAnswered(() => cluster.create(jobOf(spec, name, deadlineMs, config)), until, signal);
      // It may have ended before this builder began to watch for it.
      const known = jobs.objects.get(name);
      if (known && isOver(known)) waiting.get(name)?.(known);
      const job = await Promise.race([over, aborted]);
      if (job === 'aborted') {
        // A builder that only ends leaves the job to the one that comes after it.
        if (signal.reason === CANCELLED) await cluster.delete('batch/v1', 'Job', name);
        return { type: 'stopped' };
      }
      if (job === undefined) return { type: 'crashed', message: `job ${name} was deleted` };
      return await untilAnswered(() => resultOf(cluster, job), until, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      waiting.delete(name);
    }
  }

  return {
    async run(spec, deadlineMs, signal, onRetry) {
      const until = performance.now() + deadlineMs;
      try {
        const policy = { ...spec, onRetry: (retry: Retry) => onRetry({ type: 'retry', ...retry }) };
        const source = await storeSource(spec.source, spec.store, policy);
        for (let n = afterCrash.get(spec.id) ?? 1; ; n++) {
          const left = until - performance.now();
          if (signal.aborted) return { type: 'stopped' };
          if (left <= 0) return { type: 'deadline' };
          const end = await attempt({ ...spec, source }, jobName(spec, n), left, signal);
          if (end.type === 'crashed') afterCrash.set(spec.id, n + 1);
          else afterCrash.delete(spec.id);
          if (end.type !== 'registry') return end;
          if (n >= spec.maxAttempts || (end.throttled && spec.giveUpOn429))
            return { type: 'failed', reason: 'registry', message: end.message, attempts: n };
          const delayMs = Math.round(fullJitter(n - 1, spec.baseMs, spec.maxMs));
          onRetry({ type: 'retry', attempt: n, reason: end.message, delayMs });
          await new Promise((resolve) => setTimeout(resolve, delayMs));
        }
      } catch (error) {
        if (signal.aborted) return { type: 'stopped' };
        const end = endOf(error);
        // An object store that does not serve may do so when the build is begun anew: a pod of it comes back in seconds.
        return end?.reason === 'source' ? end : { type: 'crashed', message: (error as Error).message };
      }
    },
    stop: () => jobs.stop(),
  };
}

function isOver(job: KubeObject): boolean {
  return condition(job, 'Complete').status === 'True' || condition(job, 'Failed').status === 'True';
}

function jobName(spec: JobSpec, attempt: number): string {
  const id = createHash('sha256').update(spec.id).digest('hex').slice(0, 10);
  return `${spec.name.slice(0, 40)}-build-${id}-${attempt}`;
}

async function resultOf(cluster: Cluster, job: KubeObject): Promise<Attempt> {
  const failed = condition(job, 'Failed');
  if (failed.status === 'True' && failed.reason === 'DeadlineExceeded') return { type: 'deadline' };
  const pods = await cluster.list('v1', 'Pod', `job-name=${job.metadata.name}`);
  const pod = pods.at(-1);
  if (!pod) return { type: 'crashed', message: `the pod of job ${job.metadata.name} is gone` };
  const ended = (container: string, statuses: 'initContainerStatuses' | 'containerStatuses') =>
    (pod.status?.[statuses] ?? []).find((each: { name: string }) => each.name === container)?.state
      ?.terminated as { exitCode: number; reason?: string; message?: string } | undefined;
  const context = ended('extract-context', 'initContainerStatuses');
  if (context && context.exitCode !== 0) {
    const said = parse(context.message);
    return said
      ? { type: 'failed', attempts: 1, ...said }
      : { type: 'crashed', message: `extract-context: ${context.reason}: ${last(context.message)}` };
  }
  const kaniko = ended('kaniko', 'containerStatuses');
  if (!kaniko) return { type: 'crashed', message: `pod ended: ${pod.status?.reason ?? pod.status?.phase}` };
  const [, tag] = job.metadata.annotations?.['lambda.knative.io/image']?.split(/:(?=[^:]*$)/) ?? [];
  if (kaniko.exitCode === 0) {
    const digest = /sha256:[0-9a-f]{64}/.exec(kaniko.message ?? '')?.[0];
    if (digest && tag) return { type: 'built', tag, digest };
    return { type: 'crashed', message: `Kaniko named no digest: ${last(kaniko.message)}` };
  }
  if (kaniko.reason === 'OOMKilled' || kaniko.exitCode >= 128)
    return { type: 'crashed', message: `Kaniko: ${kaniko.reason}, exit code ${kaniko.exitCode}` };
  return { type: 'registry', ...kanikoRefusal(kaniko.message) };
}

function last(text: string | undefined): string {
  return (text ?? '').trim().split('\n').at(-1)?.slice(0, 400) ?? '';
}

function parse(text: string | undefined): { reason: 'source' | 'registry'; message: string } | undefined {
  try {
    const said = JSON.parse(text ?? '') as { reason?: unknown; message?: unknown };
    if (said.reason !== 'source' && said.reason !== 'registry') return undefined;
    return { reason: said.reason, message: String(said.message) };
  } catch {
    return undefined;
  }
}

/** First 12 hex digits of a sha256 over what the function is made of. */
function tagOf(spec: JobSpec): string {
  const identity = JSON.stringify([spec.name, spec.handler, spec.version, spec.source]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 12);
}

function jobOf(spec: JobSpec, name: string, deadlineMs: number, config: KanikoConfig): KubeObject {
  const registry = new URL(spec.registry).host;
  const image = `${registry}/${spec.repository}:${tagOf(spec)}`;
  const labels = { 'lambda.knative.io/name': spec.name, 'lambda.knative.io/build': 'true' };
  const context = [{ name: 'context', mountPath: '/context' }];
  const secret = (key: string) => ({ valueFrom: { secretKeyRef: { name: config.storeSecret, key } } });
  const security = { allowPrivilegeEscalation: false };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels, annotations: { 'lambda.knative.io/image': image } },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: TTL_S,
      activeDeadlineSeconds: Math.max(1, Math.ceil(deadlineMs / 1000)),
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 5,
          initContainers: [
            {
              name: 'extract-context',
              image: config.platform,
              // The flag is for the check of the source's syntax.
              args: ['--experimental-vm-modules', '--no-warnings', 'builder/extract-context.ts'],
              env: [
                { name: 'BUILD', value: JSON.stringify(contextOf(spec, config)) },
                { name: 'S3_ENDPOINT', value: spec.store.endpoint ?? '' },
                { name: 'S3_BUCKET', value: spec.store.bucket },
                { name: 'S3_ACCESS_KEY', ...secret('access') },
                { name: 'S3_SECRET_KEY', ...secret('secret') },
              ],
              volumeMounts: context,
              resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
              securityContext: { ...security, runAsNonRoot: true },
            },
          ],
          containers: [
            {
              name: 'kaniko',
              image: config.image,
              args: [
                '--context=dir:///context',
                `--destination=${image}`,
                '--digest-file=/dev/termination-log',
                '--insecure',
                '--insecure-pull',
                '--single-snapshot',
                ...['--image-download-retry', '--image-fs-extract-retry', '--push-retry'].map(
                  (flag) => `${flag}=${spec.giveUpOn429 ? 0 : KANIKO_RETRIES}`,
                ),
                '--log-timestamp',
              ],
              terminationMessagePolicy: 'FallbackToLogsOnError',
              volumeMounts: context,
              resources: {
                requests: { cpu: '100m', memory: '128Mi' },
                limits: { cpu: KANIKO_CPU, memory: '1Gi' },
              },
              securityContext: security,
            },
          ],
          volumes: [{ name: 'context', emptyDir: {} }],
        },
      },
    },
  };
}

/** What the init container is told. */
export interface ContextSpec {
  name: string;
  handler: string;
  source: Source;
  functionBase: string;
  maxAttempts: number;
  baseMs: number;
  maxMs: number;
}

function contextOf(spec: JobSpec, config: KanikoConfig): ContextSpec {
  const { name, handler, source, maxAttempts, baseMs, maxMs } = spec;
  return { name, handler, source, functionBase: config.functionBase, maxAttempts, baseMs, maxMs };
}
