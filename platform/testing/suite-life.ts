/** A function's life on the healthy platform. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Component } from '../config.ts';
import { COMMAND } from '../events/commands.ts';
import { getJson, listenToEvents, type Process, sendEvent } from './platform.ts';
import { sleep, until } from './ports.ts';
import { blackHole } from './services.ts';
import { HELLO, inline, type World } from './world.ts';

const json = { 'content-type': 'application/json' };

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function lifeSuite(getWorld: () => World): void {
  describe('the healthy platform', () => {
    let world: World;
    let parts: Record<Component, Process>;
    const command = (type: string, data: unknown, headers = {}) =>
      sendEvent(parts.receiver.url, { type, data }, headers);
    const call = (name: string, data: unknown = {}, headers: Record<string, string> = {}) =>
      fetch(`${parts.gateway.url}/fn/${name}`, {
        method: 'POST',
        headers: { ...json, ...headers },
        body: JSON.stringify(data),
      });
    const pool = (name: string) =>
      getJson<{ instances: number; inflight: number }>(`${parts.gateway.url}/functions/${name}`);
    const shown = (name: string) =>
      getJson<{ phase: string; image: string; digest: string; conditions: { status: string }[] }>(
        `${parts.operator.url}/functions/${name}`,
      );

    beforeAll(async () => {
      world = getWorld();
      parts = await world.platform();
    });
    afterAll(() => world.endComponents());

    it('deploys a function, and carries the trace all the way', async () => {
      const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
      const { status, id } = await command(
        COMMAND.deploy,
        { name: 'hello', source: inline(), env: { GREETING: 'hi' } },
        { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      );
      expect(status).toBe(202);
      const created = await world.heard.terminal(id);
      expect(created).toMatchObject({
        type: 'io.knative.lambda.lifecycle.service.created',
        source: 'io.knative.lambda/operator/knative-lambda/hello',
        correlationid: id,
        data: { eventId: id, image: 'lambda/knative-lambda/hello' },
      });
      const fn = await shown('hello');
      expect(fn.phase).toBe('Ready');
      expect(fn.conditions.map((each) => each.status)).toEqual(Array(5).fill('True'));
      expect(fn.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
      const head = await fetch(`${world.registry.url}/v2/${fn.image}/manifests/${fn.digest}`, {
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      });
      expect(head.status).toBe(200);
      const build = parts.builder.logs.find((line) => line.msg === 'build completed');
      expect(build).toMatchObject({ trace_id: traceId, function: 'hello' });
      expect(String(created.traceparent)).toContain(traceId);
    });

    it('starts it for the first request, serves the next warm, and goes to zero', async () => {
      const cold = await call('hello', { who: 'cold' }, { 'ce-id': 'call-1' });
      expect([cold.status, cold.headers.get('x-lambda-cold-start'), cold.headers.get('ce-id')]).toEqual([
        200,
        'true',
        'call-1',
      ]);
      const body = (await cold.json()) as { pid: number };
      expect(body).toMatchObject({ hello: 'cold', secret: null, greeting: 'hi' });
      const warm = await call('hello', { who: 'warm' });
      expect([warm.status, warm.headers.get('x-lambda-cold-start')]).toEqual([200, null]);
      await until('no instance', async () => (await pool('hello')).instances === 0);
      expect(alive(body.pid)).toBe(false);
      const labels = '{function="hello",namespace="knative-lambda"}';
      expect(await parts.gateway.metric(`knative_lambda_function_cold_starts_total${labels}`)).toBe(1);
      expect(await parts.gateway.metric(`knative_lambda_function_scale_to_zero_seconds_count${labels}`)).toBe(
        1,
      );
      const seconds = await parts.gateway.metric(
        `knative_lambda_function_scale_to_zero_seconds_sum${labels}`,
      );
      expect(seconds).toBeGreaterThan(0.85);
    });

    it('holds a burst while it starts, scales out by concurrency, and back to zero', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => call('hello', { ms: 400 })));
      expect(answers.map((each) => each.status)).toEqual(Array(30).fill(200));
      const pids = new Set(
        await Promise.all(answers.map(async (each) => ((await each.json()) as { pid: number }).pid)),
      );
      expect(pids.size).toBe(3);
      await until('no instance', async () => (await pool('hello')).instances === 0);
    });

    it('answers an invocation event with a response event', async () => {
      const asked = async (data: unknown) =>
        sendEvent(parts.receiver.url, { type: 'demo.ping', subject: 'hello', data });
      const [good, bad] = await Promise.all([asked({ who: 'event' }), asked({ fail: true })]);
      expect([good.status, bad.status]).toEqual([202, 202]);
      expect(await world.heard.terminal(good.id)).toMatchObject({
        type: 'io.knative.lambda.response.success',
        data: { eventId: good.id, status: 200, result: { hello: 'event' } },
      });
      expect(await world.heard.terminal(bad.id)).toMatchObject({
        type: 'io.knative.lambda.response.error',
        data: { status: 500, result: { error: 'asked to fail' } },
      });
      const nobody = await sendEvent(parts.receiver.url, { type: 'demo.ping', subject: 'nobody' });
      expect((await world.heard.terminal(nobody.id)).type).toBe('io.knative.lambda.response.error');
    });

    it('counts a crash, and starts the function again for the next request', async () => {
      expect((await call('hello', { crash: true })).status).toBe(502);
      const again = await call('hello');
      expect([again.status, again.headers.get('x-lambda-cold-start')]).toEqual([200, 'true']);
      const crashes =
        'knative_lambda_function_errors_total{function="hello",namespace="knative-lambda",error_type="crash"}';
      expect(await parts.gateway.metric(crashes)).toBe(1);
    });

    it('says what is wrong with a request', async () => {
      const malformed = await command(COMMAND.deploy, { name: 'x' });
      expect([malformed.status, malformed.body.reason]).toEqual([
        400,
        expect.stringContaining('data.source'),
      ]);
      expect((await call('no-such-function')).status).toBe(404);
      const missing = await command(COMMAND.delete, { name: 'no-such-function' });
      expect(await world.heard.terminal(missing.id)).toMatchObject({
        type: 'io.knative.lambda.response.error',
        data: { message: 'no function no-such-function' },
      });
    });

    it('rolls a new revision out without a failed request, and back', async () => {
      const before = (await shown('hello')).digest;
      const statuses: number[] = [];
      let going = true;
      const load = (async () => {
        while (going) statuses.push((await call('hello', { ms: 5 })).status);
      })();
      const next = await command(COMMAND.update, { name: 'hello', source: inline(`${HELLO}// two\n`) });
      await world.heard.terminal(next.id);
      expect((await shown('hello')).digest).not.toBe(before);
      const back = await command(COMMAND.rollback, { name: 'hello' });
      await world.heard.terminal(back.id);
      expect((await shown('hello')).digest).toBe(before);
      going = false;
      await load;
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    it('keeps its functions over a restart of the operator', async () => {
      await parts.operator.kill('SIGKILL');
      parts.operator = await world.start('operator', parts.operator.env);
      await parts.operator.ready();
      expect((await shown('hello')).phase).toBe('Ready');
      expect((await call('hello')).status).toBe(200);
    });

    it('leaves no function behind when the gateway is killed, not even one that never yields', async () => {
      const { pid } = (await (await call('hello')).json()) as { pid: number };
      call('hello', { spin: true }).catch(() => {});
      await until('it spins', async () => (await pool('hello')).inflight === 1);
      await parts.gateway.kill('SIGKILL');
      await until('the function ended', () => !alive(pid), 2000);
      parts.gateway = await world.start('gateway', parts.gateway.env);
      await parts.gateway.ready();
      expect((await call('hello')).status).toBe(200);
    });

    it('answers 503 while the broker is a black hole, and takes events again soon after', async () => {
      if (process.getuid?.() !== 0) throw new Error('this test drops packets with nft: it needs root');
      const send = async () => {
        const begun = performance.now();
        const { status } = await sendEvent(parts.receiver.url, { type: 'demo.ping', subject: 'hello' });
        return { status, ms: performance.now() - begun };
      };
      const hole = blackHole(world.rabbit.port);
      let healed: number;
      try {
        const begun = performance.now();
        const during: { status: number; ms: number }[] = [];
        while (performance.now() - begun < 5000) {
          during.push(await send());
          await sleep(50);
        }
        expect(new Set(during.map((each) => each.status))).toEqual(new Set([503]));
        expect(Math.max(...during.map((each) => each.ms))).toBeLessThan(2500);
      } finally {
        hole.remove();
        healed = performance.now();
      }
      await until('202 again', async () => (await send()).status === 202, 10_000, 20);
      console.log(`receiver took events ${Math.round(performance.now() - healed)} ms after the black hole`);
      await Promise.all(Object.values(parts).map((each) => each.ready(10_000)));
      console.log(
        `every component was ready ${Math.round(performance.now() - healed)} ms after the black hole`,
      );
      expect(performance.now() - healed).toBeLessThan(5000);
      // The listener's own connection may have died in the hole.
      await world.heard.close().catch(() => {});
      world.heard = await listenToEvents(world.rabbit.url);
    }, 30_000);

    it('deletes a function, and ends in an orderly way', async () => {
      const { id } = await command(COMMAND.delete, { name: 'hello' });
      expect((await world.heard.terminal(id)).type).toBe('io.knative.lambda.lifecycle.service.deleted');
      await until('404', async () => (await call('hello')).status === 404);
      const begun = performance.now();
      await world.endComponents();
      expect(performance.now() - begun).toBeLessThan(3500);
      expect(Object.values(parts).map((each) => each.child.exitCode)).toEqual([0, 0, 0, 0]);
    });
  });
}
