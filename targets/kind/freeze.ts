/** Follows the annotation of namespaces with which anybody who may set one stops all runs. */
import { CoreV1Api, KubeConfig, makeInformer, type V1Namespace } from '@kubernetes/client-node';
import { FREEZE_ANNOTATION } from '../../chaos/guardrails/file.ts';

const RECONNECT_MS = 500;

export interface FreezeWatch {
  /** Why it is frozen, or undefined. */
  reason: () => string | undefined;
  stop(): Promise<void>;
}

/** @param namespaces in which the run is, or acts @throws Error when the first list does not come. */
export async function watchFreeze(kubeconfig: string, namespaces: ReadonlySet<string>): Promise<FreezeWatch> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const informer = makeInformer<V1Namespace>(config, '/api/v1/namespaces', (() =>
    api.listNamespace()) as never);
  const reasons = new Map<string, string>();
  const look = ({ metadata }: V1Namespace) => {
    const name = metadata?.name ?? '';
    const reason = namespaces.has(name) ? freezeReason(name, metadata?.annotations) : undefined;
    if (reason === undefined) reasons.delete(name);
    else reasons.set(name, reason);
  };
  informer.on('add', look);
  informer.on('update', look);
  let stopped = false;
  const again = () => {
    if (!stopped) setTimeout(() => void informer.start().catch(again), RECONNECT_MS);
  };
  informer.on('error', again);
  await informer.start();
  return {
    reason: () => reasons.values().next().value,
    stop() {
      stopped = true;
      return informer.stop();
    },
  };
}

/** Any value but `false` freezes: who froze in haste shall not have to know which one. */
export function freezeReason(
  namespace: string,
  annotations: Record<string, string> = {},
): string | undefined {
  const value = annotations[FREEZE_ANNOTATION];
  if (value === undefined || value === 'false') return undefined;
  return `namespace ${namespace} has the annotation ${FREEZE_ANNOTATION}=${value}: remove it to go on`;
}
