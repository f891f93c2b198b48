/** The one HTTP server of a component: its API beside /metrics, /healthz and /readyz. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export class BodyTooLarge extends Error {}

/** The whole body; BodyTooLarge above `limit` bytes. */
export async function readBody(req: IncomingMessage, limit = 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(`body above ${limit} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent || res.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}

/** Answers one request; false when the path is none of its own. */
export type Route = (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;

export interface HttpOptions {
  port: number;
  host: string;
  registry: Registry;
  ready: () => boolean;
  route: Route;
  onError: (error: unknown) => void;
}

/** Starts to listen; resolves with the server once it does. */
export async function listen(options: HttpOptions): Promise<{ server: Server; port: number }> {
  const server = createServer((req, res) => {
    answer(req, res, options).catch((error: unknown) => {
      if (error instanceof BodyTooLarge)
        sendJson(res, 413, { error: 'too large', reason: error.message }, { connection: 'close' });
      else {
        if (!req.destroyed) options.onError(error);
        sendJson(res, 500, { error: 'internal error' });
      }
    });
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function answer(req: IncomingMessage, res: ServerResponse, options: HttpOptions): Promise<void> {
  const path = (req.url ?? '/').split('?', 1)[0] as string;
  if (path === '/metrics') {
    const text = await options.registry.metrics();
    res.writeHead(200, { 'content-type': options.registry.contentType });
    res.end(text);
  } else if (path === '/healthz') {
    sendJson(res, 200, { status: 'live' });
  } else if (path === '/readyz') {
    const ready = options.ready();
    sendJson(res, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready' });
  } else if (!(await options.route(req, res, path))) {
    sendJson(res, 404, { error: 'not found', reason: `${req.method} ${path}` });
  }
}
