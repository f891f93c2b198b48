import { describe, expect, it, vi } from 'vitest';
import { HarnessError } from '../base/errors.ts';
import { gatewayOf, unusable } from './engine-place.ts';
import { FakeEngine } from './fake-engine.ts';

/** TEST-NET-1, which no host has. Source: RFC 5737. */
const ELSEWHERE = '192.0.2.77';

interface Facts {
  info?: string;
  endpoint?: string;
  /** Gateways of its networks; without one, there is no such network. */
  kind?: string;
  bridge?: string;
}

const engineWith = ({ info, endpoint, ...networks }: Facts) =>
  new FakeEngine((call, args) => {
    const missing = () => {
      throw new HarnessError('docker network inspect failed: No such network');
    };
    if (call.startsWith('info')) return `${info ?? '["name=seccomp,profile=default"] Debian GNU/Linux 12'}\n`;
    if (call.startsWith('context')) return `${endpoint ?? 'unix:///var/run/docker.sock'}\n`;
    return networks[args.at(-1) as 'kind' | 'bridge'] ?? missing();
  });

describe('an engine', () => {
  it.each<[string, Facts]>([
    ['has its networks on this host', { kind: 'fc00::1 127.0.0.1 ', bridge: ELSEWHERE }],
    ['has no cluster yet', { bridge: '127.0.0.1 ' }],
    ['has no network yet', {}],
    ['has one that does not say', { bridge: ' ' }],
    ['is reached by an address of this host', { endpoint: 'tcp://127.0.0.1:2375', bridge: '127.0.0.1' }],
  ])('that %s can be used', async (_, facts) => expect(await unusable(engineWith(facts))).toBeUndefined());

  it.each<[RegExp, Facts]>([
    // Its network has the address of a bridge that this host may have as well.
    [/is rootless/, { info: '["name=seccomp,profile=default","name=rootless"] Debian', bridge: '127.0.0.1' }],
    [/Docker Desktop/, { info: '[] Docker Desktop', bridge: '127.0.0.1' }],
    [/is that of 192\.0\.2\.77/, { endpoint: `ssh://me@${ELSEWHERE}`, bridge: '127.0.0.1' }],
    [/is that of 192\.0\.2\.77/, { endpoint: `tcp://${ELSEWHERE}:2376`, bridge: '127.0.0.1' }],
    [/network bridge elsewhere: 192\.0\.2\.77/, { bridge: ELSEWHERE }],
    [/network kind elsewhere/, { kind: ELSEWHERE, bridge: '127.0.0.1' }],
  ])('can not be used: %s', async (why, facts) => expect(await unusable(engineWith(facts))).toMatch(why));
});

it('has its own endpoint looked at, and not that of the client', async () => {
  vi.stubEnv('DOCKER_HOST', `tcp://${ELSEWHERE}:2376`);
  const engine = engineWith({ bridge: '127.0.0.1' });
  Object.assign(engine, { host: 'unix:///run/x.sock' });
  expect(await unusable(engine)).toBeUndefined();
  expect(engine.calls.some((call) => call.startsWith('context'))).toBe(false);
  vi.unstubAllEnvs();
});

it('reads the IPv4 gateway of a network that has two', async () => {
  expect(await gatewayOf(engineWith({ kind: 'fc00:f853::1 172.21.0.1 ' }), 'kind')).toBe('172.21.0.1');
});
