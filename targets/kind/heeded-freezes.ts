/** Whoever has frozen a namespace is heard also where only the pods on a node reach it: it is known from the act on, not before the run. */
import type { ClusterDriver } from '../../chaos/drivers.ts';
import type { FreezeWatch } from './freeze.ts';

/** @param watched namespaces whose freeze stops the run: those that are reached are added */
export function heedingFreezes(
  driver: ClusterDriver,
  freeze: Pick<FreezeWatch, 'of'>,
  watched: Set<string>,
): ClusterDriver {
  return {
    ...driver,
    async impactOfNode(node) {
      const impact = await driver.impactOfNode(node);
      const reached = new Set(impact.pods.flatMap(({ namespace }) => namespace ?? []));
      for (const namespace of reached) watched.add(namespace);
      const [frozen] = [...reached].flatMap((namespace) => freeze.of(namespace) ?? []);
      return frozen === undefined ? impact : { ...impact, frozen };
    },
  };
}
