/** Tells Prometheus which pods there are right now, as lists for its `http_sd_configs`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PodTarget {
  /** host:port */
  address: string;
  labels: Record<string, string>;
}

export interface PodTargets {
  /** Of one of the lists. */
  url(list: string): string;
  close(): Promise<void>;
}

/**
 * Source of the format: Prometheus documentation, "HTTP SD". Debian's Prometheus is built without the discovery of Kubernetes.
 * @param host the address of this host as the cluster reaches it
 */
export async function servePodTargets(
  host: string,
  lists: Record<string, () => PodTarget[]>,
): Promise<PodTargets> {
  const server = createServer((request, response) => {
    const list = lists[decodeURIComponent(request.url?.slice(1) ?? '')];
    if (list === undefined) response.writeHead(404).end();
    else {
      const targets = list().map(({ address, labels }) => ({ targets: [address], labels }));
      response.setHeader('content-type', 'application/json').end(JSON.stringify(targets));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  return {
    url: (list) => `http://${host}:${(server.address() as AddressInfo).port}/${encodeURIComponent(list)}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
