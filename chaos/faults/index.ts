import type { FaultKind } from '../fault.ts';
import { componentKilled } from './component-killed.ts';
import { componentPartitioned } from './component-partitioned.ts';
import { componentPaused } from './component-paused.ts';
import { registryThrottled } from './registry-throttled.ts';

/** Every fault that Faultline knows, by kind. To add one: a file here, and a line in this table (docs/add-a-fault.md). */
export const FAULTS: ReadonlyMap<string, FaultKind> = new Map(
  [componentKilled, componentPaused, componentPartitioned, registryThrottled].map((fault) => [
    fault.kind,
    fault,
  ]),
);
