import type { Observation } from './fault.ts';

/**
 * Seen: the component gives no answer at all. An answer of any status shows that the process is back; whether it is ready, and
 * how long that takes, is the platform's own doing, and judged as its recovery.
 */
export async function probeSilence(url: string): Promise<Observation> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(400) });
    await response.arrayBuffer();
    return { seen: false, detail: `answers ${response.status}` };
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    return {
      seen: true,
      detail: `gives no answer: ${name === 'TimeoutError' ? 'timeout' : (cause?.code ?? name)}`,
    };
  }
}
