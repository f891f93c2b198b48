/**
 * The function's process: loads the code that came out of the image, listens on a socket (on Knative: its port), calls the
 * handler for each request. No `import` from node, for the reason that common/wire.ts gives.
 *
 * The handler gets one event: CloudEvents attributes, `data` (parsed when JSON), and `http` {method, path, headers}. It
 * returns {statusCode, headers, body} for full control, or any value: a string is sent as text, anything else as JSON,
 * nothing as 204. What it throws is a 500.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

const http = process.getBuiltinModule('node:http');
const INSTANCE = process.getBuiltinModule('node:os').hostname();
const { LAMBDA_CODE, LAMBDA_HANDLER, LAMBDA_SOCKET, PORT } = process.env;

type Handler = (event: Record<string, unknown>) => unknown;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const module = (await import(`file://${LAMBDA_CODE}`)) as Record<string, unknown>;
const handler = module[LAMBDA_HANDLER ?? 'handler'] as Handler;
if (typeof handler !== 'function') throw new Error(`the module exports no function ${LAMBDA_HANDLER}`);

function eventOf(req: IncomingMessage, body: Buffer): Record<string, unknown> {
  const meta = { method: req.method, path: req.url, headers: req.headers };
  const type = req.headers['content-type'] ?? '';
  const text = body.toString('utf8');
  if (/^application\/cloudevents\+json/i.test(type)) return { ...JSON.parse(text), http: meta };
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(req.headers))
    if (name.startsWith('ce-')) event[name.slice(3)] = value;
  event.datacontenttype = type || undefined;
  event.http = meta;
  if (body.length > 0) event.data = /[/+]json\b/i.test(type) ? JSON.parse(text) : text;
  return event;
}

function send(res: ServerResponse, result: unknown): void {
  let status = 200;
  let body = result;
  // Who answers, and since when it is there: a request that is older than its instance has waited for its start.
  const headers: Record<string, string> = {
    'x-lambda-instance': INSTANCE,
    'x-lambda-instance-age-ms': String(Math.round(process.uptime() * 1000)),
  };
  if (isRecord(result) && typeof result.statusCode === 'number') {
    status = result.statusCode;
    body = result.body;
    if (isRecord(result.headers))
      for (const [name, value] of Object.entries(result.headers)) headers[name.toLowerCase()] = String(value);
  }
  if (body === undefined) {
    res.writeHead(status === 200 ? 204 : status, headers).end();
    return;
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  headers['content-type'] ??= typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
}

async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  let event: Record<string, unknown>;
  try {
    event = eventOf(req, Buffer.concat(chunks));
  } catch (error) {
    send(res, { statusCode: 400, body: { error: `body is not JSON: ${(error as Error).message}` } });
    return;
  }
  send(res, await handler(event));
}

const server = http.createServer((req, res) => {
  if (req.url === '/health') {
    res.writeHead(200).end('ok');
    return;
  }
  serve(req, res).catch((error: unknown) => {
    console.error(error);
    if (res.headersSent) res.destroy();
    else
      send(res, { statusCode: 500, body: { error: error instanceof Error ? error.message : String(error) } });
  });
});
server.keepAliveTimeout = 0;
server.listen(LAMBDA_SOCKET ?? PORT, () => process.send?.('ready'));

process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  // Connections that were busy just now are idle in a moment, and would be kept for good.
  setInterval(() => server.closeIdleConnections(), 50).unref();
});
