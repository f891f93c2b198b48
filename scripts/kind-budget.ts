/**
 * Whether CI tries the kind cluster after the local tests: decided by what was measured (docs/kind.md, "Measured"), and said.
 * A cluster from source takes about 35 minutes on two cores; one whose parts are in the cache takes one and a half.
 */
import { kindCache } from '../kind/cache.ts';
import { ADD_ONS, PINS, SERVICES } from '../kind/pins.ts';
import { areCached } from '../kind/published.ts';

/** The cluster with all parts there, the short set, and the way back; with half as much again for a slow machine. */
const WARM_MINUTES = 20;
/** All that `make cluster` compiles and bootstraps, likewise. */
const COLD_MINUTES = 60;

export interface Budget {
  run: boolean;
  /** For the log: what was decided, and from what. */
  because: string;
}

/** Commands that `make cluster` would have to compile first. */
export function missingCommands(cache = kindCache()): string[] {
  return Object.entries({ ...PINS, ...ADD_ONS, ...SERVICES })
    .filter(([name, source]) => !areCached(name, source, cache))
    .map(([name]) => name);
}

/** Environment variable with the second in which CI began, after the epoch: .ci/run sets it. */
export const BEGAN = 'FAULTLINE_CI_BEGAN';

/** @param here since this process began, minutes: what counts where nobody says more @returns minutes since CI began, with its set-up */
export function minutesGone(env: NodeJS.ProcessEnv, nowMs: number, here: number): number {
  const began = Number(env[BEGAN]);
  return began > 0 ? Math.max(here, (nowMs / 1000 - began) / 60) : here;
}

/** @param minutes gone: since CI began; limit: after which it shall not go on */
export function kindBudget(minutes: { gone: number; limit: number }, missing: string[]): Budget {
  const left = minutes.limit - minutes.gone;
  const needed = missing.length === 0 ? WARM_MINUTES : COLD_MINUTES;
  const parts =
    missing.length === 0 ? 'its parts are in the cache' : `not in the cache: ${missing.join(', ')}`;
  const time = `needs ${needed} minutes, ${Math.floor(left)} of ${minutes.limit} are left`;
  return left >= needed
    ? { run: true, because: `the kind cluster is tried: ${parts}; ${time}` }
    : {
        run: false,
        because: `the kind cluster is NOT tried: ${parts}; ${time} (\`make e2e\` builds it; CI_MINUTES raises the limit)`,
      };
}
