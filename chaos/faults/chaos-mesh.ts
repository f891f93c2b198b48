import type { ChaosObject, ClusterDriver } from '../drivers.ts';
import type { ArmedFault } from '../fault.ts';
import { leftover } from '../undo/operations.ts';

/** In which a revert that is late, a reaper that tries again and a person come first. */
const MARGIN_MS = 10 * 60_000;

/**
 * A dead man's switch: when harness, reaper and machine are gone, Chaos Mesh ends the fault by itself. Not for what strikes once. Source: Chaos
 * Mesh's documentation, "Simulate Network Chaos", field `duration`.
 * @param plannedMs until the revert
 */
export const ending = (chaos: ChaosObject, plannedMs = 0): ChaosObject => ({
  ...chaos,
  spec: { ...chaos.spec, duration: `${Math.ceil((plannedMs + MARGIN_MS) / 1000)}s` },
});

/** What every fault has in common that is one Chaos Mesh object: its kind is its resource's name. */
export function throughChaosMesh(
  cluster: ClusterDriver,
  chaos: ChaosObject,
): Pick<ArmedFault, 'undo' | 'rehearse' | 'revert' | 'audit'> {
  const undo = cluster.undo.delete(`${chaos.kind.toLowerCase()}.chaos-mesh.org/${chaos.metadata.name}`);
  return {
    undo: [undo],
    rehearse: () => cluster.rehearse(ending(chaos)),
    revert: () => cluster.recover(chaos),
    audit: async () => leftover(undo),
  };
}
