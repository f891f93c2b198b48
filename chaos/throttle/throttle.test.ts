import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from '../../base/ports.ts';
import type { Abilities, FaultParams } from '../fault.ts';
import { registryGone } from '../faults/registry-gone.ts';
import { registryThrottled } from '../faults/registry-throttled.ts';
import { throttleClient } from './client.ts';
import { RefusedShare } from './refused-share.ts';
import { TokenBucket } from './token-bucket.ts';

describe('TokenBucket', () => {
  it('gives the burst, then the rate', () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([0, 0, 0, 0].map((t) => bucket.take(t))).toEqual([true, true, true, false]);
    expect([99, 100, 101, 199, 200].map((t) => bucket.take(t))).toEqual([false, true, false, false, true]);
  });
  it('never saves more than the burst', () => {
    const bucket = new TokenBucket(10, 2, 0);
    expect([60_000, 60_000, 60_000].map((t) => bucket.take(t))).toEqual([true, true, false]);
  });
});

describe('RefusedShare', () => {
  const refused = (oneIn: number, requests: number) => {
    const share = new RefusedShare(oneIn);
    return Array.from({ length: requests }, (_, i) => (share.take() ? [] : [i])).flat();
  };
  it('refuses the share, the same requests each time', () => {
    expect(refused(20, 20_000)).toHaveLength(1000);
    expect(refused(20, 200)).toEqual(refused(20, 200));
  });
  it.each([2, 14, 20, 100])(
    'refuses one in %d surely among so many, and at no place that could be foreseen',
    (oneIn) => {
      const at = refused(oneIn, oneIn * 1000);
      const apart = at.slice(1).map((place, i) => place - (at[i] as number));
      expect(Math.max(...apart)).toBeLessThanOrEqual(RefusedShare.surelyAmong(oneIn));
      // Nearly every distance from one to the next comes up: who asks again after any time may be refused again.
      expect(new Set(apart).size).toBeGreaterThan(oneIn * 1.4);
    },
  );
});

describe('registry-throttled through the real proxy', () => {
  let upstream: Server;
  let proxy: ChildProcess;
  let throttle: ReturnType<typeof throttleClient>;
  beforeAll(async () => {
    upstream = createServer((request, response) => {
      response.setHeader('location', `http://${request.headers.host}/next`);
      request.pipe(response);
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const [port, control] = await freePorts(2);
    proxy = spawn(process.execPath, [fileURLToPath(new URL('./proxy-process.ts', import.meta.url))], {
      env: {
        LISTEN_PORT: String(port),
        CONTROL_PORT: String(control),
        UPSTREAM: `127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      },
      stdio: 'ignore',
    });
    throttle = throttleClient(`http://127.0.0.1:${control}/`, `http://127.0.0.1:${port}`);
    await vi.waitFor(() => throttle.throttled(), { timeout: 10_000 });
  });
  afterAll(() => {
    proxy.kill('SIGKILL');
    upstream.closeAllConnections();
    upstream.close();
  });

  it('passes requests through unchanged while no fault is on', async () => {
    const response = await fetch(`${throttle.registryUrl}/v2/`, { method: 'POST', body: 'layer' });
    expect([response.status, await response.text()]).toEqual([200, 'layer']);
    // The registry must go on naming the proxy in its locations, or pushes would go round it.
    expect(response.headers.get('location')).toBe(`${throttle.registryUrl}/next`);
  });

  it('is seen by its probe while it refuses somebody, and not before or after', async () => {
    const fault = registryThrottled.arm('t', { ratePerSecond: 1, burst: 2 }, { throttle });
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {});
    expect(await fault.probe()).toMatchObject({ seen: false, detail: expect.stringMatching(/own 0$/) });
    // The probe was refused, and took nothing of what the platform may ask for.
    for (const _ of [1, 2]) expect((await fetch(`${throttle.registryUrl}/v2/`)).status).toBe(200);
    const refused = await fetch(`${throttle.registryUrl}/v2/`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([refused.status, await refused.json()]).toEqual([
      429,
      { errors: [{ code: 'TOOMANYREQUESTS', message: 'Rate exceeded' }] },
    ]);
    expect(await fault.probe()).toMatchObject({ seen: true, detail: expect.stringMatching(/own 1$/) });
    await fault.revert();
    expect((await fault.probe()).seen).toBe(false);
    expect(await throttle.throttled()).toBe(1);
  });

  it('refuses a share of all requests, at whatever pace they come', async () => {
    const before = await throttle.throttled();
    const fault = registryThrottled.arm('s', { refuseOneIn: 4 }, { throttle });
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {});
    expect(await fault.probe()).toMatchObject({ seen: false, detail: expect.stringMatching(/own 0$/) });
    const answers = [];
    for (let i = 0; i < 40; i++) answers.push((await fetch(`${throttle.registryUrl}/v2/`)).status);
    expect(answers.filter((status) => status === 429)).toHaveLength(10);
    expect(await fault.probe()).toMatchObject({ seen: true, detail: expect.stringMatching(/own 10$/) });
    await fault.revert();
    expect((await fault.probe()).seen).toBe(false);
    expect(await throttle.throttled()).toBe(before + 10);
  });

  it.each([
    [{}, /"ratePerSecond" is missing/],
    [{ ratePerSecond: 1 }, /"burst" is missing/],
    [{ refuseOneIn: 5, burst: 1 }, /"refuseOneIn" and "burst" are two ways to throttle: expected one/],
    [{ refuseOneIn: 1 }, /expected more than 1/],
    [{ refuseOneIn: 2.5 }, /"refuseOneIn" is 2.5: expected a whole number/],
    [{ refuseOneIn: '5' }, /is a string: expected a number/],
  ])('refuses the parameters %j', (params, why) => {
    expect(registryThrottled.refuse(params as FaultParams, { throttle: true } as Abilities)).toMatch(why);
  });

  it('gives no answer at all while the registry is gone, and then again', async () => {
    const fault = registryGone.arm('g', {}, { throttle });
    expect((await fault.probe()).seen).toBe(false);
    await fault.inject(() => {});
    expect((await fault.probe()).seen).toBe(true);
    await expect(fetch(`${throttle.registryUrl}/v2/`)).rejects.toThrow();
    await fault.revert();
    expect((await fault.probe()).seen).toBe(false);
  });
});
