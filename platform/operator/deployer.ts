/** Where revisions run. On one host: processes of the gateway, which starts them when they are asked for. */
import { MEDIA } from '../builder/oci-image.ts';
import { wire } from '../common/wire.ts';
import type { LambdaFunction, Revision } from './lambda-function.ts';

const PROBE_TIMEOUT_MS = 5000;

/** `starting`: the deployer says when there is news (its `onNews`). */
export type Rollout = { state: 'serves' | 'starting' } | { state: 'failed'; message: string };

export interface Deployer {
  /** Brings a revision to serve; is called again until it does. Rejects when it is to be tried again later. */
  rollOut(fn: LambdaFunction, revision: Revision): Promise<Rollout>;
  /** Ends what serves a function. */
  remove(name: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A revision can be served when its image can be had: by the gateway when there is one, as it is who must have it; else by
 * whoever asks the registry that the builder named.
 */
export function processDeployer(gateway: string | undefined): Deployer {
  return {
    async rollOut(_fn, { image, digest, registry }) {
      const query = new URLSearchParams({ image, digest });
      const { status } = await wire({
        method: gateway ? 'GET' : 'HEAD',
        url: gateway ? `${gateway}/resolve?${query}` : `${registry}/v2/${image}/manifests/${digest}`,
        headers: { accept: gateway ? 'application/json' : MEDIA.manifest },
        timeoutMs: PROBE_TIMEOUT_MS,
      });
      if (status === 404) throw new Error(`the registry has no ${image}@${digest}`);
      if (status !== 200) throw new Error(`probe: ${status}`);
      return { state: 'serves' };
    },
    // The gateway hears of it by the event.
    remove: async () => {},
    stop: async () => {},
  };
}
