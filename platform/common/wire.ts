/**
 * HTTP requests for processes that must start fast. No `import` from node: an ESM import of a built-in makes its whole
 * export list, WebSocket and web crypto with it, which costs a job some 50 ms of CPU; getBuiltinModule does not.
 */
import type { Agent, IncomingHttpHeaders } from 'node:http';

const http = process.getBuiltinModule('node:http');

export interface WireRequest {
  method: string;
  url: string;
  headers?: Record<string, string | number>;
  body?: Buffer;
  timeoutMs: number;
  /** The answer's body may have at most so many bytes. */
  limit?: number;
}

export interface WireResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** No whole answer came: connection refused, reset, closed early, or no progress within the timeout. */
export class NetworkError extends Error {}

let agents: { http: Agent; https: Agent } | undefined;

function agentFor(protocol: string): Agent {
  if (protocol === 'https:') {
    const https = process.getBuiltinModule('node:https');
    agents ??= { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };
    return agents.https;
  }
  agents ??= { http: new http.Agent({ keepAlive: true }), https: new http.Agent() };
  return agents.http;
}

/** One request, redirects not followed. Rejects with NetworkError. */
export function wire(request: WireRequest): Promise<WireResponse> {
  const url = new URL(request.url);
  const module = url.protocol === 'https:' ? process.getBuiltinModule('node:https') : http;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(new NetworkError(`${request.method} ${url.host}: ${error.message}`));
    const req = module.request(
      url,
      {
        method: request.method,
        agent: agentFor(url.protocol),
        headers: {
          ...request.headers,
          ...(request.body || request.method === 'PUT' || request.method === 'POST'
            ? { 'content-length': request.body?.length ?? 0 }
            : {}),
        },
      },
      (res) => {
        const chunks: Buffer[] = [];
        let size = 0;
        res.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > (request.limit ?? 64 * 1024 * 1024)) req.destroy(new Error('answer too large'));
          else chunks.push(chunk);
        });
        res.on('end', () => {
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) });
        });
        res.on('error', fail);
        res.on('close', () => {
          if (!res.complete) fail(new Error('connection closed before the end of the answer'));
        });
      },
    );
    req.setTimeout(request.timeoutMs, () => req.destroy(new Error(`no progress in ${request.timeoutMs} ms`)));
    req.on('error', fail);
    req.end(request.body);
  });
}
