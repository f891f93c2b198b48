import { expect, it } from 'vitest';
import { FakeEngine } from './fake-engine.ts';
import { startRegistry } from './registry.ts';

/** @param found what `docker ps` says of the container */
function engineWith(found: (image: string) => string): FakeEngine {
  let image = '';
  const engine = new FakeEngine((call) => {
    if (call.startsWith('ps ')) return found(image);
    if (call.startsWith('port ')) return '127.0.0.1:32768\n';
    return undefined;
  });
  // All images are there.
  engine.hasImage = async (tag) => {
    if (tag.includes('/registry:')) image = tag;
    return true;
  };
  return engine;
}
const changes = ({ calls }: FakeEngine) =>
  calls.filter((call) => /^(run|rm) /.test(call)).map((call) => call.split(' ')[0]);

it.each<[string, (image: string) => string, string[]]>([
  ['runs already', (image) => `running ${image}\n`, []],
  ['is not there', () => '', ['run']],
  ['has ended', (image) => `exited ${image}\n`, ['rm', 'run']],
  ['is of an older image', () => 'running faultline.dev/registry:0123456789ab\n', ['rm', 'run']],
])('a registry that %s', async (_, found, expected) => {
  const engine = engineWith(found);
  const { address } = await startRegistry(engine, ['faultline-control-plane'], () => {});
  expect([changes(engine), address]).toEqual([expected, '127.0.0.1:32768']);
});
