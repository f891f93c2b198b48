/** What the containers of a platform really run: not what a manifest asks for, but what the node's runtime took for it. */
import type { V1Pod } from '@kubernetes/client-node';

export interface RunImage {
  container: string;
  image: string;
  /** With its digest; how it is written is the runtime's affair. */
  id: string;
}

/** Knative's name for the container of a function. Each is built in the run, and the registry is asked for it: the ledger has them. */
const FUNCTION_CONTAINER = 'user-container';

/** Of the containers that run in a pod, or have run. */
export function imagesOf({ status }: V1Pod): RunImage[] {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return statuses
    .filter(({ name, imageID }) => imageID !== '' && name !== FUNCTION_CONTAINER)
    .map(({ name, image, imageID }) => ({ container: name, image, id: imageID }));
}
