/**
 * The registry throttles as ECR does: 429, `TOOMANYREQUESTS`, "Rate exceeded". Either by a token bucket in front of it, which bites who asks
 * fast, or by a share of all requests, which is what is left of an account's limit that others use up, and bites at any pace.
 */
import type { RegistryLimit } from '../drivers.ts';
import { checkParams, type FaultKind, type FaultParams, type Observation } from '../fault.ts';
import { PROBE_HEADER } from '../throttle/client.ts';
import { RefusedShare } from '../throttle/refused-share.ts';
import { required } from './required.ts';

export const registryThrottled: FaultKind = {
  kind: 'registry-throttled',
  refuse: (params, abilities) =>
    refuseParams(params) ??
    (abilities.throttle ? undefined : `target ${abilities.target} has no throttle in front of its registry`),
  undo: () => 'the limit in front of the registry is lifted',
  probe: (params) =>
    `of ${probesFor(limitOf(params))} requests to the registry at once, one is answered 429 TOOMANYREQUESTS, and so was one of the platform's own`,
  lasts: true,
  arm(_name, params, drivers) {
    const throttle = required(drivers.throttle, 'the registry throttle');
    const limit = limitOf(params);
    let before = 0;
    return {
      // The throttle is a process of the run and ends with it.
      undo: [],
      async inject(allow) {
        // A limit in front of it: no pod, and no node, is touched.
        allow({ pods: [], nodes: [], workloads: [] });
        before = await throttle.throttled();
        await throttle.set(limit);
        return 'refuseOneIn' in limit
          ? `registry refuses one in ${limit.refuseOneIn} requests`
          : `registry limited to ${limit.ratePerSecond} requests/s, burst ${limit.burst}`;
      },
      revert: () => throttle.clear(),
      // A limit that only the probe runs into bites nobody.
      async probe() {
        const door = await probeDoor(throttle.registryUrl, probesFor(limit));
        const refused = (await throttle.throttled()) - before;
        return {
          seen: door.seen && refused > 0,
          detail: `${door.detail}; of the platform's own ${refused}`,
        };
      },
      audit: async () => [],
    };
  },
};

function refuseParams(params: FaultParams): string | undefined {
  const each = { type: 'number', required: true, above: 0 } as const;
  if (params.refuseOneIn === undefined) return checkParams(params, { ratePerSecond: each, burst: each });
  for (const other of ['ratePerSecond', 'burst'])
    if (params[other] !== undefined)
      return `parameters "refuseOneIn" and "${other}" are two ways to throttle: expected one`;
  const wrong = checkParams(params, { refuseOneIn: { ...each, above: 1 } });
  if (wrong !== undefined || Number.isInteger(params.refuseOneIn)) return wrong;
  return `parameter "refuseOneIn" is ${params.refuseOneIn}: expected a whole number`;
}

function limitOf({ refuseOneIn, ratePerSecond, burst }: FaultParams): RegistryLimit {
  return refuseOneIn === undefined
    ? { ratePerSecond: Number(ratePerSecond), burst: Number(burst) }
    : { refuseOneIn: Number(refuseOneIn) };
}

const PROBE_EXTRA = 4;

/** So many at once that one of them must be refused. */
const probesFor = (limit: RegistryLimit): number =>
  'refuseOneIn' in limit ? RefusedShare.surelyAmong(limit.refuseOneIn) : limit.burst + PROBE_EXTRA;

async function probeDoor(registryUrl: string, requests: number): Promise<Observation> {
  const answers = await Promise.all(
    Array.from({ length: requests }, async () => {
      try {
        const response = await fetch(`${registryUrl}/v2/`, {
          headers: { [PROBE_HEADER]: '1' },
          signal: AbortSignal.timeout(400),
        });
        const body = await response.text();
        return response.status === 429 && body.includes('TOOMANYREQUESTS')
          ? 'throttled'
          : String(response.status);
      } catch {
        return 'no answer';
      }
    }),
  );
  const throttled = answers.filter((a) => a === 'throttled').length;
  return { seen: throttled > 0, detail: `${throttled} of ${requests} requests answered 429 TOOMANYREQUESTS` };
}
