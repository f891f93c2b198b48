import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PrometheusClient } from './prometheus.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Answers as Prometheus does to `vector(time())`, by a clock that is so far ahead of this one's; each answer takes a while. */
async function prometheus(aheadMs: number, takesMs: number): Promise<PrometheusClient> {
  server = createServer((_, response) => {
    setTimeout(() => {
      const now = (Date.now() + aheadMs) / 1000;
      const result = [{ metric: {}, value: [now, String(now)] }];
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    }, takesMs);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return new PrometheusClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

describe('the clock of Prometheus', () => {
  it('is told from what the way there takes', async () => {
    for (const ahead of [-8000, 3000])
      expect(Math.abs((await (await prometheus(ahead, 0)).skewMs()) - ahead)).toBeLessThan(150);
    expect(await (await prometheus(0, 40)).skewMs()).toBe(0);
  });
});
