/**
 * A store of traces in memory: takes spans as OTLP over HTTP, gives a trace as Tempo does. A real one (Jaeger's, of Go) takes ten minutes to
 * compile on two cores, which CI does not have; engine/collect/trace-stores.test.ts has what a real Jaeger answered.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface ResourceSpans {
  resource: object;
  scopeSpans: { spans: { traceId: string }[] }[];
}

export async function traceStore(): Promise<{ url: string; close(): Promise<void> }> {
  const byTrace = new Map<string, ResourceSpans[]>();
  const server = createServer(async (request, response) => {
    if (request.method === 'POST' && request.url === '/v1/traces') {
      let text = '';
      for await (const piece of request) text += piece;
      const { resourceSpans } = JSON.parse(text) as { resourceSpans: ResourceSpans[] };
      for (const { resource, scopeSpans } of resourceSpans)
        for (const span of scopeSpans.flatMap(({ spans }) => spans))
          byTrace.set(span.traceId, [
            ...(byTrace.get(span.traceId) ?? []),
            { resource, scopeSpans: [{ spans: [span] }] },
          ]);
      return response.end('{}');
    }
    const batches = byTrace.get(/^\/api\/traces\/([0-9a-f]{32})$/.exec(request.url ?? '')?.[1] ?? '');
    return batches
      ? response.end(JSON.stringify({ batches }))
      : response.writeHead(404).end('trace not found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
