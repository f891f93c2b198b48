/** How fast a run is, and how much of its load: what `faultline run` and `make e2e` take. */
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import type { ScenarioFile } from '../scenarios/load.ts';
import { SCRIPTS } from '../scenarios/schema.ts';

/** @param said where it was said: an option, or a variable of the environment @param text as it was said */
export function timeScaleProblems(said: string, timeScale: number, text = String(timeScale)): Diagnostic[] {
  if (Number.isFinite(timeScale) && timeScale >= 1) return [];
  return [{ file: said, message: `expected a number of at least 1, got ${text}` }];
}

/**
 * `builds=0.05`, or `0.5` for every stream without a factor of its own. A script's name will do where no stream has it.
 * @param said as above @throws RefusedError with all problems
 */
export function loadScale(said: string, factors: string[], files: ScenarioFile[]): Record<string, number> {
  const problems: Diagnostic[] = [];
  const streams = new Set<string>([
    ...files.flatMap(({ value }) => value.spec.load.map(({ name }) => name)),
    ...SCRIPTS,
  ]);
  const parsed = factors.map((given) => {
    const [, stream = '*', text] = /^(?:([^=]*)=)?(.*)$/.exec(given) as RegExpExecArray;
    const factor = Number(text || Number.NaN);
    if (!(factor > 0 && Number.isFinite(factor)))
      problems.push({
        file: said,
        message: `"${given}": expected a factor above 0, such as builds=0.05`,
      });
    if (stream !== '*' && !streams.has(stream))
      problems.push({
        file: said,
        message: `no stream is called "${stream}": expected one of ${[...streams].join(', ')}`,
      });
    return [stream, factor] as const;
  });
  if (problems.length > 0) throw new RefusedError(problems);
  return Object.fromEntries(parsed);
}
