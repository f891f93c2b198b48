import type { ChaosObject, ClusterDriver } from '../drivers.ts';
import type { ArmedFault } from '../fault.ts';
import { leftover } from '../undo/operations.ts';

/** What every fault has in common that is one Chaos Mesh object: its kind is its resource's name. */
export function throughChaosMesh(
  cluster: ClusterDriver,
  chaos: ChaosObject,
): Pick<ArmedFault, 'undo' | 'rehearse' | 'revert' | 'audit'> {
  const undo = cluster.undo.delete(`${chaos.kind.toLowerCase()}.chaos-mesh.org/${chaos.metadata.name}`);
  return {
    undo: [undo],
    rehearse: () => cluster.rehearse(chaos),
    revert: () => cluster.recover(chaos),
    audit: async () => leftover(undo),
  };
}
