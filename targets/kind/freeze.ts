/** Follows the annotation of namespaces with which anybody who may set one stops all runs. */
import { CoreV1Api, KubeConfig, type V1Namespace } from '@kubernetes/client-node';
import { FREEZE_ANNOTATION } from '../../chaos/guardrails/file.ts';
import { follow } from './follow.ts';

/** Since the last word. An API server that is slowed on purpose, or restarted, may take some seconds to take a connection back. */
const BLIND_FOR_MS = 20_000;
/** Of that, in which a watch must say something: one that hangs is to be noticed, and opened anew, well before. Namespaces hardly ever change. */
const QUIET_SHARE = 1 / 4;

export interface FreezeWatch {
  /** Why it is frozen, or nobody can see whether it is; or undefined. */
  reason: () => string | undefined;
  /** Why this namespace is frozen, also one in which the run is not. */
  of(namespace: string): string | undefined;
  stop(): Promise<void>;
}

/**
 * @param namespaces in which the run is, or acts
 * @param blindForMs while nobody could look for longer, nothing may be done either
 * @throws HarnessError when namespaces can not be listed and watched
 */
export async function watchFreeze(
  kubeconfig: string,
  namespaces: ReadonlySet<string>,
  blindForMs = BLIND_FOR_MS,
): Promise<FreezeWatch> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const reasons = new Map<string, string>();
  const following = await follow<V1Namespace>(config, {
    what: 'namespaces',
    path: '/api/v1/namespaces',
    quietMs: blindForMs * QUIET_SHARE,
    list: () => api.listNamespace(),
    onSeen({ metadata }) {
      const name = metadata?.name ?? '';
      const reason = freezeReason(name, metadata?.annotations);
      if (reason === undefined) reasons.delete(name);
      else reasons.set(name, reason);
    },
  });
  const blind = () => {
    const ms = following.blindMs();
    return ms > blindForMs
      ? `nobody can see whether namespaces have the annotation ${FREEZE_ANNOTATION}: for ${(ms / 1000).toFixed(1)} s the API server has not let them be watched`
      : undefined;
  };
  return {
    // Asked of those that are among them now: a fault may reach more.
    reason: () => [...reasons].find(([name]) => namespaces.has(name))?.[1] ?? blind(),
    of: (namespace) => reasons.get(namespace),
    stop: following.stop,
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
