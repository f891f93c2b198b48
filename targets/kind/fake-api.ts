/** An API server for tests: one list, whatever is asked for, and watches of it that can be cut, refused, and left hanging. */
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
  /** Paths that are answered 403. */
  forbidden(path: string): boolean;
  /** Lists that were asked for. */
  lists: number;
  /** Watches that were opened, and their paths. */
  readonly watches: number;
  watched: string[];
  /** To all watches; and to those that come later, where the object has a resource version after theirs. */
  tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: FakeObject): void;
  /** Cuts the connections of all watches, as when the server dies. */
  cut(): void;
  /** Closes nothing and says nothing, also to new connections, as when packets vanish, until they are cut. @returns ends it, for connections made since */
  hang(): () => void;
  close(): Promise<void>;
}

export async function fakeApi(): Promise<FakeApi> {
  const watches = new Set<ServerResponse>();
  const told: { type: string; object: FakeObject }[] = [];
  let hanging = false;
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (hanging) {
      held.push(response);
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const isWatch = searchParams.has('watch');
    if (!isWatch) api.lists++;
    const status = api.forbidden(pathname) ? 403 : isWatch ? api.status.watch : api.status.list;
    response.writeHead(status, { 'content-type': 'application/json' });
    if (status !== 200)
      response.end(JSON.stringify({ kind: 'Status', code: status, message: 'User "ci" cannot do that' }));
    else if (isWatch) {
      watches.add(response);
      api.watched.push(pathname);
      response.once('close', () => watches.delete(response));
      response.flushHeaders();
      const after = Number(searchParams.get('resourceVersion'));
      for (const event of told)
        if (Number(event.object.metadata.resourceVersion) > after)
          response.write(`${JSON.stringify(event)}\n`);
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
    ...{ kubeconfig, items: [], status: { list: 200, watch: 200 }, lists: 0, watched: [] },
    forbidden: () => false,
    get watches() {
      return api.watched.length;
    },
    tell(type, object) {
      told.push({ type, object });
      if (hanging) return;
      for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`);
    },
    hang() {
      hanging = true;
      // What is told from here on does not reach them.
      held.push(...watches);
      watches.clear();
      return () => {
        hanging = false;
      };
    },
    cut() {
      for (const response of [...watches, ...held.splice(0)]) response.destroy();
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
