import type { Abilities, FaultKind, FaultParams } from '../fault.ts';
import { merged, type Right } from '../rights.ts';
import { apiSlowed } from './api-slowed.ts';
import { brokerSplit } from './broker-split.ts';
import { buildsKilled } from './builds-killed.ts';
import { componentKilled } from './component-killed.ts';
import { componentPartitioned } from './component-partitioned.ts';
import { componentPaused } from './component-paused.ts';
import { componentStressed } from './component-stressed.ts';
import { componentUnstartable } from './component-unstartable.ts';
import { dnsGone } from './dns-gone.ts';
import { networkDegraded } from './network-degraded.ts';
import { nodeDrained } from './node-drained.ts';
import { nodeLost } from './node-lost.ts';
import { objectMissing } from './object-missing.ts';
import { podKilled } from './pod-killed.ts';
import { registryGone } from './registry-gone.ts';
import { registryThrottled } from './registry-throttled.ts';

/** Every fault that Faultline knows, by kind. To add one: a file here, and a line in this table (docs/add-a-fault.md). */
export const FAULTS: ReadonlyMap<string, FaultKind> = new Map(
  [
    componentKilled,
    componentPaused,
    componentPartitioned,
    registryThrottled,
    registryGone,
    objectMissing,
    podKilled,
    buildsKilled,
    brokerSplit,
    nodeLost,
    nodeDrained,
    componentUnstartable,
    componentStressed,
    dnsGone,
    apiSlowed,
    networkDegraded,
  ].map((fault) => [fault.kind, fault]),
);

/** What these faults must be allowed to do together; nothing on a target that is no cluster. */
export function faultRights(
  faults: readonly { kind: string; params: FaultParams }[],
  { cluster }: Abilities,
): Right[] {
  if (cluster === undefined) return [];
  return merged(faults.flatMap(({ kind, params }) => FAULTS.get(kind)?.rights?.(params, cluster) ?? []));
}
