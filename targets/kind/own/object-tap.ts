/**
 * The ledger's tap where results are objects: a function that the load asked for is processed when its status says that its image is
 * built, or that it failed. A build that was done twice is seen by its Jobs. The state stays in the API server: what happens while
 * the watch is away is seen when it is back.
 */
import { BatchV1Api, CustomObjectsApi, KubeConfig, type V1Job } from '@kubernetes/client-node';
import type { Processed, Tap } from '../../tap.ts';
import { follow } from '../follow.ts';

/** Source: PLATFORM.md, "Life of a function". */
export const LAMBDA = {
  ...{ group: 'lambda.knative.io', version: 'v1alpha1', plural: 'lambdafunctions', kind: 'LambdaFunction' },
  nameLabel: 'lambda.knative.io/name',
  buildLabel: 'lambda.knative.io/build',
} as const;

/** Set on what the load asks for, so that its result is told apart. */
export const EVENT_ID = 'faultline.dev/event-id';

/** A watch is made anew at times, and nothing is missed by that. */
const BACK_WITHIN_MS = 2000;
/** After the image is built; Ready may be said of one that was never built. */
const BUILT = ['Deploying', 'Ready'];

export interface LambdaStatus {
  phase?: string;
  buildStatus?: { imageURI?: string };
  conditions?: { type: string; status: string }[];
}
interface Lambda {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; annotations?: Record<string, string> };
  status?: LambdaStatus;
}

/** What a status says of the build that was asked for; undefined while it says nothing final. */
export function resultOf({
  phase,
  conditions = [],
  buildStatus,
}: LambdaStatus): Pick<Processed, 'result' | 'artifact'> | undefined {
  if (phase === 'Failed') return { result: 'failed', artifact: undefined };
  const built = conditions.some((c) => c.type === 'BuildReady' && c.status === 'True');
  if (built && BUILT.includes(phase ?? '')) return { result: 'completed', artifact: buildStatus?.imageURI };
  return undefined;
}

/** Source: Kubernetes' documentation, "Job termination and cleanup". */
const hasFailed = (status: V1Job['status']) =>
  status?.conditions?.some(({ type, status: is }) => type === 'Failed' && is === 'True') ?? false;

/**
 * By function, its Jobs that built an image or are about to. One that is at work beside one that is done counts already: nobody waits for
 * its end.
 */
export class BuildsByFunction {
  private readonly jobs = new Map<string, Set<string>>();

  /** @param gone the API server has it no more @returns whose Job it is */
  see({ metadata, status }: V1Job, gone: boolean): string | undefined {
    const name = metadata?.labels?.[LAMBDA.nameLabel];
    if (name === undefined) return undefined;
    const own = this.jobs.get(name) ?? new Set();
    this.jobs.set(name, own);
    // What was taken away in its work built nothing; what was done stays done. `failed` counts pods: a Job begins another one in their place.
    const done = (status?.succeeded ?? 0) > 0;
    const builds = done || (!gone && !hasFailed(status));
    if (builds) own.add(metadata?.uid ?? '');
    else own.delete(metadata?.uid ?? '');
    return name;
  }

  times(name: string): number {
    return Math.max(1, this.jobs.get(name)?.size ?? 0);
  }
}

/** @throws HarnessError when functions and Jobs can not be listed and watched */
export async function openObjectTap(kubeconfig: string, namespace: string): Promise<Tap> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const processed = new Map<string, Processed>();
  const built = new BuildsByFunction();
  /** By function, the event that asked for it. */
  const events = new Map<string, string>();

  const { group, version, plural } = LAMBDA;
  const objects = config.makeApiClient(CustomObjectsApi);
  const lambdas = {
    what: `${plural} of namespace ${namespace}`,
    path: `/apis/${group}/${version}/namespaces/${namespace}/${plural}`,
    list: () => objects.listNamespacedCustomObject({ group, version, namespace, plural }),
    onSeen({ metadata, status }: Lambda) {
      const id = metadata?.annotations?.[EVENT_ID];
      const name = metadata?.name ?? '';
      if (id === undefined || processed.has(id)) return;
      const found = resultOf(status ?? {});
      if (!found) return;
      events.set(name, id);
      processed.set(id, { ...found, firstWallMs: Date.now(), events: built.times(name) });
    },
  };
  const count = (job: V1Job, gone: boolean) => {
    const name = built.see(job, gone) ?? '';
    const known = processed.get(events.get(name) ?? '');
    if (known) known.events = built.times(name);
  };
  const batch = config.makeApiClient(BatchV1Api);
  const labelSelector = `${LAMBDA.buildLabel}=true`;
  const builds = {
    what: `Jobs of namespace ${namespace}`,
    path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
    list: () => batch.listNamespacedJob({ namespace, labelSelector }),
    labelSelector,
    onSeen: (job: V1Job) => count(job, false),
    onGone: (job: V1Job) => count(job, true),
  };
  const following = [await follow(config, lambdas)];
  const stop = () => Promise.all(following.map((each) => each.stop()));
  following.push(
    await follow(config, builds).catch(async (error) => {
      await stop();
      throw error;
    }),
  );
  return {
    processed,
    garbled: [],
    listening: () => following.every((each) => each.awayMs() < BACK_WITHIN_MS),
    async close() {
      await stop();
    },
  };
}
