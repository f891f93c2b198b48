/**
 * The platform against real RabbitMQ, registry and object store. One file, as the services take a while to start and
 * are shared by the suites, which run one after another.
 */
import { afterAll, beforeAll, vi } from 'vitest';
import { buildSuite } from './suite-builds.ts';
import { edgeSuite } from './suite-edges.ts';
import { lifeSuite } from './suite-life.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world?.stop());

lifeSuite(() => world);
buildSuite(() => world);
edgeSuite(() => world);
