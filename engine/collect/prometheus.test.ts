import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EvidenceError, NoAnswerError } from '../../base/errors.ts';
import { alertmanagerStartedWallMs } from './alerts.ts';
import { PrometheusClient } from './prometheus.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** @returns its base URL */
async function answering(answer: (path: string) => object): Promise<string> {
  server = createServer((request, response) => response.end(JSON.stringify(answer(request.url ?? ''))));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

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

describe('when a process was started', () => {
  const at = '2026-11-27T22:35:19.946499456Z';
  it('is told by Prometheus and by Alertmanager themselves', async () => {
    const answer = (path: string) =>
      path === '/api/v2/status'
        ? { cluster: {}, uptime: at }
        : path.startsWith('/api/v1/status/runtimeinfo')
          ? { status: 'success', data: { startTime: at } }
          : {};
    const url = await answering(answer);
    expect(await new PrometheusClient(url).startedWallMs()).toBe(Date.parse(at));
    expect(await alertmanagerStartedWallMs(url)).toBe(Date.parse(at));
  });
  it('is no number that nobody told', async () => {
    const url = await answering(() => ({ status: 'success', data: { startTime: '' }, uptime: 'long' }));
    await expect(new PrometheusClient(url).startedWallMs()).rejects.toThrow();
    await expect(alertmanagerStartedWallMs(url)).rejects.toThrow();
  });
});

it('reads what is infinite, by its own name for it, and what is no number', async () => {
  const values = ['+Inf', '-Inf', 'NaN', '1.5e3'].map((value, i) => [i, value]);
  const url = await answering(() => ({
    ...{ status: 'success', data: { resultType: 'matrix', result: [{ metric: {}, values }] } },
  }));
  const [series] = await new PrometheusClient(url).raw('up', 0, 1000);
  expect(series?.samples.map(({ value }) => value)).toEqual([
    ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1500],
  ]);
});

it('names the metrics that there were', async () => {
  const url = await answering((path) =>
    path.startsWith('/api/v1/label/__name__/values') ? { status: 'success', data: ['ALERTS', 'up'] } : {},
  );
  expect(await new PrometheusClient(url).metricNames()).toEqual(new Set(['ALERTS', 'up']));
});

describe('what went wrong', () => {
  it.each([
    [503, true],
    [429, true],
    [422, false],
    [400, false],
  ])('answer %i: whether another try may help is %s', async (status, mayHelp) => {
    server = createServer((_, response) => response.writeHead(status).end('its own words'));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const client = new PrometheusClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (const ask of [
      () => client.instant('up', 0),
      () => client.groupEvaluations(),
      () => client.rules(),
    ]) {
      const error = await ask().catch((e: Error) => e);
      expect(error).toBeInstanceOf(EvidenceError);
      expect(error instanceof NoAnswerError).toBe(mayHelp);
      expect((error as Error).message).toMatch(
        new RegExp(`Prometheus answered ${status} to .*: its own words`),
      );
    }
  });

  it('no answer at all may be over in a moment', async () => {
    await expect(new PrometheusClient('http://127.0.0.1:1').rules()).rejects.toThrow(NoAnswerError);
    await expect(alertmanagerStartedWallMs('http://127.0.0.1:1')).rejects.toThrow(NoAnswerError);
  });
});
