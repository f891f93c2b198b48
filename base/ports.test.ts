import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { HarnessError } from './errors.ts';
import { freePorts } from './ports.ts';

const held: Server[] = [];
afterEach(() => Promise.all(held.splice(0).map((s) => new Promise((done) => s.close(done)))));

const hold = (port: number) =>
  new Promise<void>((resolve, reject) => {
    const server = createServer().once('error', reject);
    held.push(server);
    server.listen(port, '127.0.0.1', () => resolve());
  });

it('passes over the ports that somebody holds', async () => {
  const [free = 0, ...rest] = await freePorts(3);
  const taken = rest.filter((p) => Math.abs(p - free) > 1);
  for (const port of taken) await hold(port);
  for (const port of taken) {
    // Two ports to choose from, one of them held: the free one is what it must find.
    const [found] = await freePorts(1, { from: port, to: port + 2 });
    expect(found).toBe(port + 1);
  }
});

it('finds none that another process has found and not yet used', async () => {
  // Of forty, eight each: without a word between them they would as good as always meet.
  const from = 19_000;
  const script = `import { freePorts } from ${JSON.stringify(new URL('ports.ts', import.meta.url).href)};
    console.log(JSON.stringify(await freePorts(8, { from: ${from}, to: ${from + 40} })));
    process.stdin.resume();`;
  const others = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  try {
    const found = await Promise.all(
      others.map(async ({ stdout }) => {
        for await (const text of stdout.setEncoding('utf8')) return JSON.parse(text) as number[];
        throw new Error('it found none');
      }),
    );
    expect(new Set(found.flat()).size).toBe(24);
  } finally {
    for (const other of others) other.stdin.end();
    await Promise.all(
      others.map((other) => other.exitCode ?? new Promise((done) => other.once('exit', done))),
    );
  }
});

it('says what to do when every port is held', async () => {
  const [port = 0] = await freePorts(1);
  await hold(port);
  const asked = freePorts(1, { from: port, to: port + 1 });
  await expect(asked).rejects.toThrow(HarnessError);
  await expect(asked).rejects.toThrow(
    /found only 0 of 1 free ports between \d+ and \d+.*end what holds them/,
  );
});
