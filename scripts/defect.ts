/** What a run with a defect of the platform shows: it is meant to fail. */

/** @param code how the run ended @returns undefined where the run says enough itself */
export function saidOfDefect(defect: string, code: number | null): string | undefined {
  if (defect === '') return undefined;
  const on = `The platform ran with the defect '${defect}' on`;
  if (code === 1) return `${on}: a failing run is what this shows (exit 1).`;
  if (code === 0) return `${on}, and no scenario here failed: none of them saw it.`;
  return undefined;
}
