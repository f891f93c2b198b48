/** Before the timeline starts, the platform must be quiet: no alert pending or firing from its own start-up. */
import { HarnessError } from '../base/errors.ts';
import type { PrometheusClient } from './collect/prometheus.ts';
import type { StopSignal } from './stop.ts';

/**
 * @param options.falseAlarms alerts that fire without a fault, as the scenario knows: they are not waited for
 * @throws HarnessError with the alerts that would not go away: a baseline that starts in alarm proves nothing
 */
export async function settle(
  client: PrometheusClient,
  options: { scrapeMs: number; evaluationMs: number; withinMs: number; falseAlarms: readonly string[] },
  stop: StopSignal,
): Promise<void> {
  const deadline = performance.now() + options.withinMs;
  // Long enough for every target to be scraped and every rule evaluated at least twice.
  await stop.sleep(3 * (options.scrapeMs + options.evaluationMs));
  for (;;) {
    stop.throwIfStopped();
    const all = await client.instant('ALERTS', Date.now());
    const alerts = all.filter((a) => !options.falseAlarms.includes(a.labels.alertname ?? ''));
    const down = await client.instant('up == 0', Date.now());
    if (alerts.length === 0 && down.length === 0) return;
    if (performance.now() > deadline) {
      const names = [
        ...new Set(alerts.map((a) => `${a.labels.alertname} (${a.labels.alertstate})`)),
        ...down.map((d) => `${d.labels.job} is not scraped`),
      ];
      throw new HarnessError(
        `the platform is not quiet ${options.withinMs / 1000} s after its start: ${names.join(', ')}; look at logs/ of the bundle`,
      );
    }
    await stop.sleep(Math.max(100, options.evaluationMs));
  }
}
