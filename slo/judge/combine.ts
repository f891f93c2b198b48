/** One verdict of many checks. */
import type { Check, Verdict } from '../../evidence/verdict.ts';

const WORST_FIRST: readonly Verdict[] = ['error', 'fail', 'unknown', 'pass'];

/** Groups whose checks say something of the platform; the others say whether that can be believed. */
const CLAIMS: ReadonlySet<Check['group']> = new Set([
  'objective',
  'alert',
  'recovery',
  'ledger',
  'telemetry',
]);

/**
 * error > fail > unknown > pass over the checks that are not informational. Two exceptions: a run that was cut short is `unknown`
 * whatever it had found by then (its failures are still listed), and one that judged nothing of the platform is `unknown`.
 * @param cutShort by the user, a freeze, a guardrail, or a generator that died: by nothing that the platform did
 */
export function combine(checks: Check[], cutShort: boolean): { verdict: Verdict; reasons: string[] } {
  const counted = checks.filter((c) => !c.informational);
  const sorted = WORST_FIRST.slice(0, -1).flatMap((v) => counted.filter((c) => c.verdict === v));
  const reasons = sorted.map((c) => `${c.id}: ${c.message}`);
  let verdict = worst(sorted.map((c) => c.verdict));
  if (cutShort) verdict = verdict === 'error' ? 'error' : 'unknown';
  if (!counted.some((c) => CLAIMS.has(c.group))) {
    verdict = worst([verdict, 'unknown']);
    reasons.push('nothing of the platform was judged: no pass without a check');
  }
  return { verdict, reasons };
}

/** Of none it is `pass`. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return WORST_FIRST.find((verdict) => verdicts.includes(verdict)) ?? 'pass';
}
