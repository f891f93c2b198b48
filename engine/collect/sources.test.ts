import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HttpStore } from './sources.ts';

const server = createServer(({ url, headers }, response) =>
  response.end(JSON.stringify({ url, authorization: headers.authorization })),
);
let host: string;
beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it('asks below its base URL', async () => {
  const store = new HttpStore(`http://${host}/tempo/`);
  expect(await (await store.get('/api/traces', 1000, { q: '{a="b"}' })).json()).toEqual({
    url: '/tempo/api/traces?q=%7Ba%3D%22b%22%7D',
  });
});

it('says who asks without ever showing the password', async () => {
  const store = new HttpStore(`http://${host.replace('127', 'ann:s3%3Acret@127')}`);
  expect(await (await store.get('/', 1000)).json()).toEqual({
    ...{ url: '/', authorization: `Basic ${Buffer.from('ann:s3:cret').toString('base64')}` },
  });
  expect(store.url).toBe(`http://${host}`);
  expect(inspect(store, { showHidden: true }) + JSON.stringify(store)).not.toMatch(/s3.*cret|czM6/);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const refused = await store.get('/', 1000).catch((error: Error) => inspect(error));
  expect(refused).toMatch(/ECONNREFUSED/);
  expect(refused).not.toMatch(/s3.*cret/);
});
