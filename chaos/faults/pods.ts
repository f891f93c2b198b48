import type { ClusterDriver } from '../drivers.ts';

/** kubectl's option that selects by labels. */
export function selecting(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return `--selector=${pairs.join(',')}`;
}

/** The same for the pods of a component. */
export const selectorOf = (cluster: ClusterDriver, component: string): string =>
  selecting(cluster.labelsOf(component));
