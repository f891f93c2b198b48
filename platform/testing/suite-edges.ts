/** The receiver without a broker and over its rate; the defects of receiver and gateway. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND } from '../events/commands.ts';
import { getJson, sendEvent } from './platform.ts';
import { freePort, sleep, until } from './ports.ts';
import { inline, type World } from './world.ts';

export function edgeSuite(getWorld: () => World): void {
  describe('edges and defects', () => {
    let world: World;
    const ping = { type: 'demo.ping', subject: 'hello' };

    beforeAll(() => {
      world = getWorld();
    });
    afterEach(() => world.endComponents());
    afterAll(() => world.purge());

    it('without a broker the receiver answers 503; with receiver-accepts-without-confirm 202, and the event is lost', async () => {
      const AMQP_URL = `amqp://127.0.0.1:${await freePort()}`;
      const [honest, careless] = await Promise.all([
        world.start('receiver', { AMQP_URL }),
        world.start('receiver', { AMQP_URL, DEFECTS: 'receiver-accepts-without-confirm' }),
      ]);
      for (const each of [honest, careless])
        await until('it listens', () => each.logs.some((line) => line.msg === 'listening'));
      const refused = await sendEvent(honest.url, ping);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect((await fetch(`${honest.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${honest.url}/healthz`)).status).toBe(200);
      expect((await sendEvent(careless.url, ping)).status).toBe(202);
    });

    it('takes its burst, then answers 429 with Retry-After', async () => {
      const receiver = await world.start('receiver', { RATE_LIMIT: '1', RATE_BURST: '5' });
      await receiver.ready();
      const answers = [];
      for (let n = 0; n < 8; n++) answers.push(await sendEvent(receiver.url, ping));
      const codes = answers.map((each) => each.status);
      expect(codes.slice(0, 5)).toEqual(Array(5).fill(202));
      expect(codes.at(-1)).toBe(429);
      expect(answers.at(-1)?.headers.get('retry-after')).toBe('1');
      const counted = await receiver.metric('knative_lambda_receiver_requests_total{code="429"}');
      expect(counted).toBe(codes.filter((code) => code === 429).length);
    });

    it('with forgets-scale-to-zero an idle function stays; with metrics-lie its errors are counted as success', async () => {
      const parts = await world.platform({ DEFECTS: 'forgets-scale-to-zero,metrics-lie' });
      const { id } = await sendEvent(parts.receiver.url, {
        type: COMMAND.deploy,
        data: { name: 'stays', source: inline() },
      });
      await world.heard.terminal(id);
      const answer = await fetch(`${parts.gateway.url}/fn/stays`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"fail":true}',
      });
      expect(answer.status).toBe(500);
      const labels = 'function="stays",namespace="knative-lambda"';
      const counted = (status: string) =>
        parts.gateway.metric(`knative_lambda_function_invocations_total{${labels},status="${status}"}`);
      expect([await counted('error'), await counted('success')]).toEqual([0, 1]);
      await sleep(1500);
      expect((await getJson<{ instances: number }>(`${parts.gateway.url}/functions/stays`)).instances).toBe(
        1,
      );
    });
  });
}
