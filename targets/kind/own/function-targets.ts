/** Tells Prometheus which pods functions have right now, as a list for its `http_sd_configs`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PodWatch } from '../pods.ts';

export interface FunctionTargets {
  url: string;
  close(): Promise<void>;
}

/**
 * Source of the format: Prometheus documentation, "HTTP SD". Debian's Prometheus is built without the discovery of Kubernetes.
 * @param host the address of this host as the cluster reaches it @param port of the function's container
 */
export async function serveFunctionTargets(
  host: string,
  pods: Pick<PodWatch, 'functionPods'>,
  port: number,
): Promise<FunctionTargets> {
  const server = createServer((_request, response) => {
    const list = pods.functionPods().map(({ pod, address, name }) => ({
      targets: [`${address}:${port}`],
      labels: { pod, function: name },
    }));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(list));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
