/** Builds under faults, and the defects that such faults are to reveal. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXCHANGE } from '../amqp/topology.ts';
import { COMMAND } from '../events/commands.ts';
import type { Process } from './platform.ts';
import { sleep, until } from './ports.ts';
import { type SlowRegistry, startSlowRegistry } from './slow-registry.ts';
import { inline, type World } from './world.ts';

const COMPLETED = 'io.knative.lambda.lifecycle.build.completed';
const FAILED = 'io.knative.lambda.lifecycle.build.failed';

export function buildSuite(getWorld: () => World): void {
  describe('builds', () => {
    let world: World;
    let slow: SlowRegistry;

    beforeAll(async () => {
      world = getWorld();
      slow = await startSlowRegistry(world.registry);
    });
    beforeEach(() => world.purge());
    afterEach(async () => {
      Object.assign(slow, { delayMs: 0, refuse: 0, refused: 0, seen: 0 });
      await world.endComponents();
    });
    afterAll(() => slow.stop());

    const builder = async (env: Record<string, string> = {}): Promise<Process> => {
      const process = await world.start('builder', { REGISTRY_URL: slow.url, ...env });
      await process.ready();
      return process;
    };
    /** Puts a command into the queue, as the receiver does; gives its id. */
    const command = (type: string, data: Record<string, unknown>): string => {
      const id = randomUUID();
      const event = { specversion: '1.0', id, source: '/platform/tests', type, data };
      world.heard.channel.publish(EXCHANGE.commands, type, Buffer.from(JSON.stringify(event)), {
        persistent: true,
      });
      return id;
    };
    const build = (name: string, source: unknown = inline(`export const handler = () => '${name}';`)) =>
      command(COMMAND.buildStart, { name, source, runtime: { language: 'nodejs' } });
    const deadLetterReason = async (): Promise<string> => {
      const dead = await until('a dead letter', () =>
        world.heard.channel.get('lambda-dead-letters', { noAck: true }),
      );
      return String(dead.properties.headers?.['x-failure-reason']);
    };

    it('takes source from the object store; what is not there or no module fails at once', async () => {
      const process = await builder();
      await world.s3.put('lambda-functions', 'fns/good.mjs', 'export const handler = () => 1;');
      const good = build('from-s3', { type: 's3', key: 'fns/good.mjs' });
      expect(await world.heard.terminal(good)).toMatchObject({ type: COMPLETED, correlationid: good });
      const missing = build('missing', { type: 's3', key: 'fns/missing.mjs' });
      expect(await world.heard.terminal(missing)).toMatchObject({
        type: FAILED,
        data: { reason: 'source', attempts: 1 },
      });
      expect(await deadLetterReason()).toMatch(/^source: .*404/);
      const broken = build('broken', inline('export const = ;'));
      expect(await world.heard.terminal(broken)).toMatchObject({ type: FAILED, data: { reason: 'source' } });
      expect(await process.metric('build_failures_total')).toBe(2);
      expect(await process.metric('knative_lambda_operator_build_events_total{status="complete"}')).toBe(1);
    });

    it('cancels a build that is under way', async () => {
      slow.delayMs = 2000;
      await builder();
      const id = build('endless');
      await until('the build has begun', () => slow.seen > 0);
      const cancel = command(COMMAND.buildCancel, { name: 'endless' });
      expect(await world.heard.terminal(cancel)).toMatchObject({ data: { cancelled: 1 } });
      expect(await world.heard.terminal(id)).toMatchObject({ type: FAILED, data: { reason: 'cancelled' } });
    });

    it('tries again on 429; with no-registry-retry it gives up at once', async () => {
      slow.refuse = 3;
      const healthy = await builder();
      expect((await world.heard.terminal(build('throttled'))).type).toBe(COMPLETED);
      expect(slow.refused).toBe(3);
      const retries = 'knative_lambda_operator_errors_total{component="builder",error_type="registry_retry"}';
      expect(await healthy.metric(retries)).toBe(3);
      slow.refuse = 1000;
      expect(await world.heard.terminal(build('given-up'))).toMatchObject({
        type: FAILED,
        data: { reason: 'registry', attempts: 5 },
      });
      expect(await deadLetterReason()).toMatch(/gave up after 5 attempts.*429/);
      await healthy.kill();

      Object.assign(slow, { refuse: 1, refused: 0 });
      await builder({ DEFECTS: 'no-registry-retry' });
      expect(await world.heard.terminal(build('hasty'))).toMatchObject({
        type: FAILED,
        data: { attempts: 1 },
      });
    });

    /** Sends builds, kills the builder amid them, starts another; the ids of which a completed event was heard. */
    async function killAmid(defects: string): Promise<{ sent: string[]; completed: string[] }> {
      slow.delayMs = 150;
      const first = await builder({ DEFECTS: defects, JOB_LIMIT: '3' });
      const sent = Array.from({ length: 8 }, (_, n) => build(`kill-${n}`));
      await until('the first build is done', () => sent.some((id) => world.heard.terminals(id).length > 0));
      await first.kill('SIGKILL');
      slow.delayMs = 0;
      await builder({ DEFECTS: defects, JOB_LIMIT: '3' });
      await sleep(500);
      await until('the queue is empty', async () => (await world.depth('lambda-build-commands')) === 0);
      const completed = () =>
        sent.filter((id) => world.heard.terminals(id).some((event) => event.type === COMPLETED));
      await until('the builds end', () => completed().length === sent.length, defects ? 3000 : 15_000).catch(
        () => {},
      );
      return { sent, completed: completed() };
    }

    it('loses no command when it is killed; told twice is told with the same event id', async () => {
      const { sent, completed } = await killAmid('');
      expect(completed).toEqual(sent);
      for (const id of sent) expect(new Set(world.heard.terminals(id).map((event) => event.id)).size).toBe(1);
      expect(await world.depth('lambda-dead-letters')).toBe(0);
    });

    it('with ack-before-build, the same kill loses commands', async () => {
      const { sent, completed } = await killAmid('ack-before-build');
      expect(completed.length).toBeLessThan(sent.length);
    });

    it('with metrics-lie, a failed build is counted as complete', async () => {
      const process = await builder({ DEFECTS: 'metrics-lie' });
      await world.heard.terminal(build('liar', inline('export const = ;')));
      expect(await process.metric('build_failures_total')).toBe(0);
      expect(await process.metric('knative_lambda_operator_build_events_total{status="complete"}')).toBe(1);
    });

    it('with slow-recovery, it consumes only after a while', async () => {
      const begun = performance.now();
      const process = await world.start('builder', { DEFECTS: 'slow-recovery', SLOW_RECOVERY_MS: '1500' });
      await until('it is connected', () => process.logs.some((line) => line.msg === 'broker connected'));
      expect((await fetch(`${process.url}/readyz`)).status).toBe(503);
      expect(process.logs.some((line) => line.msg === 'consuming')).toBe(false);
      await until('it consumes', () => process.logs.some((line) => line.msg === 'consuming'));
      expect(performance.now() - begun).toBeGreaterThan(1500);
    });
  });
}
