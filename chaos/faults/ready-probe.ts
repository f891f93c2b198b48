import type { Observation } from '../fault.ts';

/** Seen: the component's own readiness endpoint does not answer 200, in whatever way it fails. */
export async function probeNotReady(url: string): Promise<Observation> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(400) });
    await response.arrayBuffer();
    return { seen: response.status !== 200, detail: `readiness answers ${response.status}` };
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    return {
      seen: true,
      detail: `readiness gives no answer: ${name === 'TimeoutError' ? 'timeout' : (cause?.code ?? name)}`,
    };
  }
}
