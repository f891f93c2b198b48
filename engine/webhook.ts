/** The receiver that Alertmanager delivers to: keeps every alert of every notification, with the instant of its arrival. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { HarnessError } from '../base/errors.ts';

/** Source: Alertmanager documentation, "webhook_config", data version 4. Fields that are not used are not checked. */
const Notification = z.object({
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()),
      startsAt: z.string(),
    }),
  ),
});

export interface Delivery {
  /** performance.now() of the arrival. */
  at: number;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtWallMs: number;
}

export interface AlertReceiver {
  url: string;
  deliveries: Delivery[];
  /** Notifications that could not be understood: evidence that something is wrong, kept for the journal. */
  garbled: string[];
  close(): Promise<void>;
}

/** @param host the address on which Alertmanager reaches it */
export async function startAlertReceiver(host: string): Promise<AlertReceiver> {
  const deliveries: Delivery[] = [];
  const garbled: string[] = [];
  const server: Server = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        for (const alert of Notification.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))).alerts) {
          deliveries.push({
            at,
            status: alert.status,
            labels: alert.labels,
            annotations: alert.annotations,
            startsAtWallMs: Date.parse(alert.startsAt),
          });
        }
      } catch (error) {
        garbled.push((error as Error).message);
      }
      response.end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new HarnessError(`this host can not listen at ${host} for alerts: ${cause.message}`, { cause })),
    );
    server.listen(0, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/alerts`,
    deliveries,
    garbled,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
