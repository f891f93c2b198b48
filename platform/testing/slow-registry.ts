/** A proxy before the registry that can answer 429 or be slow, as a throttled registry is. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Service } from './services.ts';

export interface SlowRegistry extends Service {
  /** So many of the next requests are answered 429. */
  refuse: number;
  /** Each request waits so long before it goes on. */
  delayMs: number;
  /** Requests that came in. */
  seen: number;
  refused: number;
}

export async function startSlowRegistry(target: Service): Promise<SlowRegistry> {
  const server = createServer(async (req, res) => {
    proxy.seen++;
    if (proxy.refuse > 0) {
      proxy.refuse--;
      proxy.refused++;
      req.resume();
      res.writeHead(429, { 'content-type': 'application/json', 'retry-after': '0' });
      res.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}');
      return;
    }
    if (proxy.delayMs > 0) await new Promise((done) => setTimeout(done, proxy.delayMs));
    const { method, url, headers } = req;
    const onward = request({ host: '127.0.0.1', port: target.port, method, path: url, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.on('error', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const proxy: SlowRegistry = {
    url: `http://127.0.0.1:${port}`,
    port,
    refuse: 0,
    delayMs: 0,
    seen: 0,
    refused: 0,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
  return proxy;
}
