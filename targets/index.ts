import { kindTarget } from './kind/index.ts';
import { localTarget } from './local/index.ts';
import type { Target } from './target.ts';

/** Every target, by name. */
export const TARGETS: ReadonlyMap<string, Target> = new Map(
  [localTarget, kindTarget].map((target) => [target.name, target]),
);
