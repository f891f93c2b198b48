/** Packet loss on loopback through nftables, in a table of the run's own: removing the table removes everything. */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import type { Address, NetworkDriver, Reach } from '../../chaos/drivers.ts';
import type { Impact } from '../../chaos/fault.ts';

const run = promisify(execFile);

/**
 * Why packets can not be dropped here, or undefined when they can: tried for real, with a table that comes and goes in one transaction.
 * In two, a harness that is killed between them leaves it, and nobody would undo it.
 */
export async function blackholeImpossible(): Promise<string | undefined> {
  const probe = `faultline_probe_${process.pid}`;
  try {
    await run('nft', ['add', 'table', 'inet', probe, ';', 'delete', 'table', 'inet', probe]);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT'
      ? 'nft is not installed (faultline doctor --install)'
      : `nft refuses (root is needed): ${message.split('\n').slice(0, 2).join(' ')}`;
  }
}

export function nftNetwork(
  runId: string,
  addresses: ReadonlyMap<string, Address>,
  impact: (component: string) => Impact,
): NetworkDriver {
  const table = (fault: string) => `faultline_${runId}_${fault}`.replaceAll(/[^A-Za-z0-9_]/g, '_');
  const addressOf = (component: string): Address => {
    const address = addresses.get(component);
    if (!address) throw new Error(`no address of ${component}`);
    return address;
  };
  return {
    impact: async (component) => impact(component),
    // Tried when the plan was made: blackholeImpossible.
    rehearse: async () => {},
    address: addressOf,
    undoOf: (fault) => ({ op: 'delete-nft-table', table: table(fault) }),
    async blackhole(fault, component) {
      const { port } = addressOf(component);
      const name = table(fault);
      // One transaction: there is no instant at which only one direction is cut.
      const script = `table inet ${name} {
        chain cut { type filter hook input priority -300; policy accept;
          iifname "lo" tcp dport ${port} drop
          iifname "lo" tcp sport ${port} drop
        }
      }\n`;
      await pipeTo('nft', ['-f', '-'], script);
    },
    async restore(fault) {
      await run('nft', ['delete', 'table', 'inet', table(fault)]);
    },
    reach: (component) => reach(addressOf(component)),
  };
}

function pipeTo(command: string, args: string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, (error, _stdout, stderr) =>
      error ? reject(new Error(`${command}: ${stderr || error.message}`)) : resolve(),
    );
    child.stdin?.end(input);
  });
}

function reach({ host, port }: Address): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (state: Reach['state'], what: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ state, detail: `connect to ${host}:${port}: ${what}` });
    };
    const timer = setTimeout(() => finish('silent', 'no answer in 400 ms, nothing refused'), 400);
    socket.once('connect', () => finish('open', 'open'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish('refused', error.code ?? error.message));
  });
}
