/** What `faultline doctor --target cluster` looks at: whether a run could begin there. */
import { RefusedError } from '../../base/errors.ts';
import type { Guardrails } from '../../chaos/guardrails/file.ts';
import type { ClusterFact } from '../kind/doctor.ts';
import { namespaceOf } from '../kind/platform.ts';
import type { Profile } from '../profile.ts';
import { describedPlace, NOT_DESCRIBED } from './description.ts';
import { clusterProblems } from './index.ts';

/** @throws RefusedError when the description is missing, wrong or not allow-listed */
export async function existingFacts(
  file: string | undefined,
  profile: Profile,
  guardrails: Guardrails,
): Promise<ClusterFact[]> {
  if (file === undefined) throw new RefusedError([NOT_DESCRIBED]);
  const place = describedPlace(file, guardrails, namespaceOf(profile))();
  const { nodes, nodeAddress, versions, detail } = place;
  const workers = nodes.filter(({ worker }) => worker).length;
  const problems = await clusterProblems(file, place, profile.speaks.by === 'commands');
  return [
    { name: 'context', ok: true, value: `${detail.context}, allow-listed by ${guardrails.file}` },
    {
      name: 'cluster',
      ok: true,
      value: `Kubernetes ${versions.kubernetes}, ${nodes.length} nodes, ${workers} of them workers; reached at ${nodeAddress}`,
    },
    ...problems.map(({ field, message }) => ({ name: field ?? 'cluster', ok: false, value: message })),
    ...(problems.length === 0
      ? [{ name: 'needs', ok: true, value: 'Knative Serving, Chaos Mesh, registry and images are there' }]
      : []),
  ];
}
