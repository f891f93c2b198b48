/** The registry throttles as ECR does: 429, `TOOMANYREQUESTS`, "Rate exceeded", by a token bucket in front of it. */
import { checkParams, type FaultKind, type Observation } from '../fault.ts';
import { required } from './required.ts';

export const registryThrottled: FaultKind = {
  kind: 'registry-throttled',
  refuse: (params, abilities) =>
    checkParams(params, {
      ratePerSecond: { type: 'number', required: true, above: 0 },
      burst: { type: 'number', required: true, above: 0 },
    }) ??
    (abilities.throttle ? undefined : `target ${abilities.target} has no throttle in front of its registry`),
  undo: () => 'the token bucket in front of the registry is lifted',
  probe: ({ burst }) =>
    `of ${Number(burst) + PROBE_EXTRA} requests to the registry at once, one is answered 429 TOOMANYREQUESTS`,
  arm(_name, params, drivers) {
    const throttle = required(drivers.throttle, 'the registry throttle');
    const ratePerSecond = Number(params.ratePerSecond);
    const burst = Number(params.burst);
    return {
      // The throttle is a process of the run and ends with it.
      undo: [],
      async inject() {
        await throttle.set({ ratePerSecond, burst });
        return `registry limited to ${ratePerSecond} requests/s, burst ${burst}`;
      },
      revert: () => throttle.clear(),
      probe: () => probeThrottle(throttle.registryUrl, burst + PROBE_EXTRA),
      audit: async () => [],
    };
  },
};

const PROBE_EXTRA = 4;

async function probeThrottle(registryUrl: string, requests: number): Promise<Observation> {
  const answers = await Promise.all(
    Array.from({ length: requests }, async () => {
      try {
        const response = await fetch(`${registryUrl}/v2/`, { signal: AbortSignal.timeout(400) });
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
