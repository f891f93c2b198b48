/** An API server for tests: one list, whatever is asked for, and watches of it that can be cut and refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeObject {
  metadata: { name: string; resourceVersion?: string; [field: string]: unknown };
  [field: string]: unknown;
}

export interface FakeApi {
  kubeconfig: string;
  items: FakeObject[];
  /** HTTP status of lists and of new watches: 200, or a refusal. */
  status: { list: number; watch: number };
  /** Lists that were asked for. */
  lists: number;
  /** To all watches. */
  tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: FakeObject): void;
  /** Cuts the connections of all watches, as when the server dies. */
  cut(): void;
  close(): Promise<void>;
}

export async function fakeApi(): Promise<FakeApi> {
  const watches = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const isWatch = new URL(request.url ?? '', 'http://api').searchParams.has('watch');
    if (!isWatch) api.lists++;
    const status = isWatch ? api.status.watch : api.status.list;
    response.writeHead(status, { 'content-type': 'application/json' });
    if (status !== 200)
      response.end(JSON.stringify({ kind: 'Status', code: status, message: 'User "ci" cannot do that' }));
    else if (isWatch) {
      watches.add(response);
      response.once('close', () => watches.delete(response));
      response.flushHeaders();
    } else response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: api.items }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const directory = mkdtempSync(join(tmpdir(), 'faultline-api-'));
  const kubeconfig = join(directory, 'kubeconfig');
  const named = { name: 'it', cluster: 'it', user: 'it' };
  writeFileSync(
    kubeconfig,
    // YAML, of which JSON is a part.
    JSON.stringify({
      clusters: [
        {
          ...named,
          cluster: {
            server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            // Without it, client-node refuses plain HTTP.
            'insecure-skip-tls-verify': true,
          },
        },
      ],
      users: [{ name: 'it', user: {} }],
      contexts: [{ name: 'it', context: named }],
      'current-context': 'it',
    }),
  );
  const api: FakeApi = {
    ...{ kubeconfig, items: [], status: { list: 200, watch: 200 }, lists: 0 },
    tell(type, object) {
      for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`);
    },
    cut() {
      for (const watch of watches) watch.destroy();
    },
    async close() {
      api.cut();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(directory, { recursive: true });
    },
  };
  return api;
}
