/** Durations as Prometheus 2.42 reads them: whole numbers, each unit once, from years down to milliseconds. */
import { parseDuration } from '../../base/duration.ts';

const PROMETHEUS = /^(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?$/;

/** Milliseconds, or undefined when Prometheus would refuse the text. `0` without a unit is allowed, as Prometheus allows it. */
export function parsePrometheusDuration(text: string): number | undefined {
  if (text === '0') return 0;
  return text !== '' && PROMETHEUS.test(text) ? parseDuration(text) : undefined;
}
