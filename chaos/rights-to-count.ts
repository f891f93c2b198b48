import type { Right } from './rights.ts';

/** To count what goes with a node, in all namespaces: its pods, and of each workload how many its owner wants (targets/kind/node-impact.ts). */
export const COUNTING: Right[] = [
  { group: '', resources: ['pods'], verbs: ['get', 'list'] },
  { group: 'apps', resources: ['deployments', 'replicasets', 'statefulsets'], verbs: ['list'] },
];
