import { HarnessError } from '../base/errors.ts';

/**
 * @param answer of kubectl to the path `.spec.replicas`
 * @param object kind/name
 * @throws HarnessError when it is no number: to so many it is scaled back, which must be no guess
 */
export function replicasIn(answer: string, object: string): number {
  const text = answer.trim();
  if (/^\d+$/.test(text)) return Number(text);
  throw new HarnessError(
    `how many replicas ${object} has is not known: kubectl answered "${text.slice(0, 200)}"`,
  );
}
