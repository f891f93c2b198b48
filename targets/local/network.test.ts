import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { componentPartitioned } from '../../chaos/faults/component-partitioned.ts';
import { carryOut, leftover } from '../../chaos/undo/operations.ts';
import { blackholeImpossible, nftNetwork } from './network.ts';

const impossible = await blackholeImpossible();

const nothing = () => ({ pods: [], nodes: [], workloads: [] });

describe('component-partitioned with the real packet filter', () => {
  let server: Server;
  let address: { host: string; port: number };
  beforeAll(async () => {
    server = createServer((_request, response) => response.end('here'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  // Without root there is no packet filter; the plan then refuses the fault, which the last test sees.
  it.skipIf(impossible !== undefined)(
    'drops packets in both directions, refuses nothing, and is gone after the revert',
    async () => {
      const network = nftNetwork(`test-${process.pid}`, new Map([['broker', address]]), nothing);
      const fault = componentPartitioned.arm('cut', { component: 'broker' }, { network });
      const [undo] = fault.undo;
      if (!undo) throw new Error('a partition without an undo');
      try {
        expect((await fault.probe()).seen).toBe(false);
        await fault.inject(() => {});
        expect(await fault.probe()).toMatchObject({
          seen: true,
          detail: expect.stringContaining('nothing refused'),
        });
        expect(leftover(undo)).toHaveLength(1);
        await fault.revert();
        expect((await fault.probe()).seen).toBe(false);
        expect(await fault.audit()).toEqual([]);
      } finally {
        await carryOut(undo);
      }
    },
  );

  it.skipIf(impossible !== undefined)(
    'is undone by the reaper’s operation alone, twice without harm',
    async () => {
      const network = nftNetwork(`test2-${process.pid}`, new Map([['broker', address]]), nothing);
      await network.blackhole('cut', 'broker');
      await carryOut(network.undoOf('cut'));
      await carryOut(network.undoOf('cut'));
      expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).not.toContain(
        `test2_${process.pid}`,
      );
    },
  );

  it('does not take a refused connection for a black hole', async () => {
    const network = nftNetwork('none', new Map([['broker', { host: '127.0.0.1', port: 1 }]]), nothing);
    expect(await componentPartitioned.arm('cut', { component: 'broker' }, { network }).probe()).toMatchObject(
      { seen: false, detail: expect.stringContaining('ECONNREFUSED') },
    );
  });

  it('is refused by the plan where packets can not be dropped', () => {
    const refusal = componentPartitioned.refuse(
      { component: 'rabbitmq' },
      {
        target: 'local',
        components: [],
        infrastructure: [],
        pausable: [],
        blackhole: { impossible: 'root is needed' },
        throttle: true,
        objectStore: true,
      },
    );
    expect(refusal).toBe('target local can not drop packets: root is needed');
  });
});
