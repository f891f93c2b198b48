/** The two calls of k6's REST API (https://grafana.com/docs/k6/latest/reference/k6-rest-api/) that a run needs. */
import { z } from 'zod';

const Status = z.object({
  data: z.object({ attributes: z.object({ status: z.number(), paused: z.boolean(), running: z.boolean() }) }),
});

/** lib.ExecutionStatusPausedBeforeRun of k6: every VU is made, nothing has run. */
const PAUSED_BEFORE_RUN = 4;

const CALL_TIMEOUT_MS = 2000;

/** True when k6 has made all VUs and waits to be resumed; false while it is not up or not that far. */
export async function isReady(api: string): Promise<boolean> {
  try {
    const response = await fetch(`${api}/v1/status`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    const { attributes } = Status.parse(await response.json()).data;
    return attributes.status === PAUSED_BEFORE_RUN;
  } catch {
    return false;
  }
}

/**
 * Lets a paused k6 run.
 * @throws Error when k6 does not answer or refuses
 */
export async function resume(api: string): Promise<void> {
  const response = await fetch(`${api}/v1/status`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data: { type: 'status', id: 'default', attributes: { paused: false } } }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`k6 refused to start: ${response.status} ${await response.text()}`);
}
