/**
 * The claim, clause by clause: each names the checks that judge it, and holds when all of them pass. What a clause names and nothing
 * judged makes the run `unknown`: a sentence that nobody checked must not pass with the rest.
 */
import { names } from '../../evidence/check-ids.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { Check, Clause } from '../../evidence/verdict.ts';
import { worst } from './combine.ts';

/** @returns the clauses as they were judged, and the check that each was; neither for a claim of one plain sentence */
export function judgeClaim(
  { scenario }: Plan,
  checks: readonly Check[],
): { clauses: Clause[]; check?: Check } {
  if (scenario.clauses === undefined) return { clauses: [] };
  const judged = scenario.clauses.map(({ says, judgedBy }) => {
    const mine = judgedBy.map((pattern) =>
      checks.filter(({ id, informational }) => !informational && names(pattern, id)),
    );
    const found = [...new Set(mine.flat())];
    const missing = judgedBy.filter((_, i) => mine[i]?.length === 0);
    const verdicts = [...found.map(({ verdict }) => verdict), ...missing.map(() => 'unknown' as const)];
    return { clause: { says, verdict: worst(verdicts), checkIds: found.map(({ id }) => id) }, missing };
  });
  const missing = judged.flatMap((each) => each.missing);
  return {
    clauses: judged.map(({ clause }) => clause),
    check: {
      id: 'harness/claim',
      group: 'harness',
      title: 'Every clause of the claim was judged',
      verdict: missing.length === 0 ? 'pass' : 'unknown',
      message:
        missing.length === 0
          ? `each of ${judged.length} by the checks that it names`
          : `nothing was judged as ${missing.join(', ')}, which the claim names`,
      informational: false,
      evidence: [{ file: FILES.plan, query: 'scenario.clauses' }],
    },
  };
}
