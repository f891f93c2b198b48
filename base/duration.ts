/** Durations as Prometheus writes them (`1h30m`, `5m`, `500ms`), held as milliseconds. */

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|[smhdwy])/g;

/** Milliseconds of a duration text, or undefined when it is not one. Units are required: `30` is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!WHOLE.test(text)) return undefined;
  let ms = 0;
  for (const [, number, unit] of text.matchAll(PART))
    ms += Number(number) * (UNIT_MS[unit as string] as number);
  return ms;
}

/** The shortest Prometheus duration text of a whole number of milliseconds (rounded, at least `1ms` when above 0). */
export function formatDuration(ms: number): string {
  let rest = ms > 0 ? Math.max(1, Math.round(ms)) : 0;
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['h', 'm', 's', 'ms'] as const) {
    const size = UNIT_MS[unit] as number;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
