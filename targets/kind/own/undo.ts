/** What takes the user's own platform away again, on disk before it comes. */
import { randomUUID } from 'node:crypto';
import { HarnessError } from '../../../base/errors.ts';
import type { UndoLog } from '../../../chaos/undo/log.ts';
import { RUN_LABEL } from '../../../chaos/undo/operations.ts';
import type { Kubernetes, Manifest, Way } from '../../../kind/kubernetes.ts';
import { recordNodeRights } from '../common.ts';
import { SERVICE_LABEL } from '../pods.ts';
import { LAMBDA } from './object-tap.ts';

/** kind.group/name, as kubectl has it. */
function objectName({ apiVersion, kind, metadata }: Manifest): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
  return `${kind.toLowerCase()}${group}/${metadata.name}`;
}

/**
 * Undone in the reverse order: functions first, while somebody is there for their finalizers; then the namespace with all that lives
 * in it; at last what is outside of it.
 * @returns what is to be applied: other namespaces of the platform have a mark by which they are told from somebody else's of that name
 * @throws HarnessError when something outside of it is on the cluster already: it would be changed, and taken away at the end
 */
export async function recordUndo(
  undo: UndoLog,
  way: Way,
  cluster: Kubernetes,
  { namespace, recordNamespace }: { namespace: string; recordNamespace: () => void },
  applied: Manifest[],
): Promise<Manifest[]> {
  const outside = applied.filter(
    ({ kind, metadata }) =>
      metadata.namespace !== namespace && !(kind === 'Namespace' && metadata.name === namespace),
  );
  const there: string[] = [];
  for (const manifest of outside) {
    const where = manifest.metadata.namespace ? ['--namespace', manifest.metadata.namespace] : [];
    const found = await cluster.undo(
      ...where,
      'get',
      objectName(manifest),
      '--ignore-not-found',
      '--output=name',
    );
    if (found.code === 0 && found.stdout.trim() !== '') there.push(found.stdout.trim());
    // Of a kind that only this platform brings there is nothing yet; any other failure is no answer.
    else if (found.code !== 0 && !/doesn't have a resource type/.test(found.output))
      throw new HarnessError(
        `nobody knows whether the cluster has ${objectName(manifest)} already: ${found.failure ?? found.output.trim()}`,
      );
  }
  if (there.length > 0)
    throw new HarnessError(
      `the cluster has ${there.join(', ')} already: it would be changed and then taken away. Delete it first, or leave it out of the platform`,
    );
  const run = randomUUID();
  for (const manifest of outside)
    undo.record('deploy the platform', {
      ...{ op: 'delete-object', ...way, object: objectName(manifest) },
      ...(manifest.metadata.namespace ? { namespace: manifest.metadata.namespace } : {}),
      ...(manifest.kind === 'Namespace' ? { run } : {}),
    });
  recordNamespace();
  await recordNodeRights(cluster, undo, way, namespace);
  // A namespace in which a pod is still within its grace (300 s, Knative's default) goes no earlier than half of that.
  const selector = SERVICE_LABEL;
  const all = { op: 'delete-all', ...way, namespace } as const;
  undo.record('make functions', { ...all, kind: 'pods', selector, now: true });
  undo.record('make functions', { ...all, kind: 'deployments.apps', selector });
  undo.record('make functions', { ...all, kind: 'services.serving.knative.dev' });
  undo.record('make functions', { ...all, kind: `${LAMBDA.plural}.${LAMBDA.group}` });
  return applied.map((manifest) =>
    manifest.kind === 'Namespace' && outside.includes(manifest) ? marked(manifest, run) : manifest,
  );
}

const marked = ({ metadata, ...manifest }: Manifest, run: string): Manifest => ({
  ...manifest,
  metadata: { ...metadata, labels: { ...(metadata.labels as object), [RUN_LABEL]: run } },
});
