/**
 * `alerts.ndjson`: one line a state change of one alert instance, from two independent sources.
 * `prometheus`: read from the ALERTS series at every rule evaluation. `receiver`: what the webhook got from Alertmanager.
 * `t` is milliseconds since the run's origin.
 */
import { z } from 'zod';

export const AlertChange = z.discriminatedUnion('source', [
  z.strictObject({
    source: z.literal('prometheus'),
    t: z.number(),
    alert: z.string(),
    labels: z.record(z.string(), z.string()),
    state: z.enum(['pending', 'firing', 'inactive']),
  }),
  z.strictObject({
    source: z.literal('receiver'),
    t: z.number(),
    alert: z.string(),
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).optional(),
    state: z.enum(['firing', 'resolved']),
    /** startsAt of the notification, milliseconds since the run's origin. */
    startsAt: z.number(),
  }),
]);
export type AlertChange = z.infer<typeof AlertChange>;
