import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { HarnessError } from './errors.ts';

const PORTS = { from: 20_000, to: 32_000 };

/** As many numbers as were asked for, so that each can be given its name. */
type Ports<N extends number, Found extends number[] = []> = number extends N
  ? number[]
  : Found['length'] extends N
    ? Found
    : Ports<N, [...Found, number]>;

/** Until then the service that a port is for has it. */
const CLAIMED_MS = 180_000;

/**
 * Free TCP ports on 127.0.0.1, all different, also from those that another Faultline on this machine has found and not yet used.
 * Below the kernel's ephemeral range (32768 and up), where an outgoing connection of another process could take one between this
 * check and the service's bind.
 * @throws HarnessError when there are not enough
 */
export async function freePorts<N extends number>(count: N, { from, to } = PORTS): Promise<Ports<N>> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > count * 200)
      throw new HarnessError(
        `found only ${ports.size} of ${count} free ports between ${from} and ${to} on 127.0.0.1: end what holds them and try again`,
      );
    const port = from + Math.floor(Math.random() * (to - from));
    if (!ports.has(port) && (await isFree(port)) && (await claim(port))) ports.add(port);
  }
  return [...ports] as Ports<N>;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Two runs that begin at once would find the same port free. So each says which it takes by the UDP port of the same number: nothing
 * here serves UDP, only one process can have it, and the kernel gives it back when that dies.
 */
function claim(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref();
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      setTimeout(() => socket.close(), CLAIMED_MS).unref();
      resolve(true);
    });
  });
}
