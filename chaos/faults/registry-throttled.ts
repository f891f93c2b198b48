/** The registry throttles as ECR does: 429, `TOOMANYREQUESTS`, "Rate exceeded", by a token bucket in front of it. */
import { checkParams, type FaultKind, type Observation } from '../fault.ts';
import { PROBE_HEADER } from '../throttle/client.ts';
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
    `of ${Number(burst) + PROBE_EXTRA} requests to the registry at once, one is answered 429 TOOMANYREQUESTS, and so was one of the platform's own`,
  lasts: true,
  arm(_name, params, drivers) {
    const throttle = required(drivers.throttle, 'the registry throttle');
    const ratePerSecond = Number(params.ratePerSecond);
    const burst = Number(params.burst);
    let before = 0;
    return {
      // The throttle is a process of the run and ends with it.
      undo: [],
      async inject(allow) {
        // A limit in front of it: no pod, and no node, is touched.
        allow({ pods: [], nodes: [], workloads: [] });
        before = await throttle.throttled();
        await throttle.set({ ratePerSecond, burst });
        return `registry limited to ${ratePerSecond} requests/s, burst ${burst}`;
      },
      revert: () => throttle.clear(),
      // A limit that only the probe runs into bites nobody.
      async probe() {
        const door = await probeDoor(throttle.registryUrl, burst + PROBE_EXTRA);
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

const PROBE_EXTRA = 4;

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
