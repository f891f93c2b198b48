import type { ThrottleDriver } from '../drivers.ts';

/** Marks the probe's own requests: they are throttled as all others, and not counted as the platform's. */
export const PROBE_HEADER = 'x-faultline-probe';

/** Speaks to a throttle proxy's control port. */
export function throttleClient(controlUrl: string, registryUrl: string): ThrottleDriver {
  const call = async (method: string, body?: unknown): Promise<{ throttled: number }> => {
    const response = await fetch(controlUrl, {
      method,
      signal: AbortSignal.timeout(2000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as { throttled: number };
  };
  return {
    registryUrl,
    set: async (limit) => void (await call('PUT', limit)),
    cutOff: async () => void (await call('PUT', { gone: true })),
    clear: async () => void (await call('DELETE')),
    throttled: async () => (await call('GET')).throttled,
  };
}
