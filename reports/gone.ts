/**
 * Evidence that was judged and is not here any more, or can not be read. The verdict stays as the judge wrote it, but nobody can
 * get it again from this bundle: a report of it must not look like proof.
 */
import { FILES } from '../evidence/tables.ts';
import type { Check } from '../evidence/verdict.ts';
import type { Outcome } from './bundle.ts';

/** What the judge reads. A run that came to its end wrote all of them, or its journal says why not. */
const JUDGED: readonly string[] = [
  FILES.plan,
  FILES.journal,
  FILES.requests,
  FILES.ledger,
  FILES.series,
  FILES.alerts,
];

/** A check that only reports make, of the files that went; undefined when all that was judged is here. */
export function goneCheck({ verdict: v, judged, journal, missing }: Outcome): Check | undefined {
  // Where the judge itself found the bundle not whole, its verdict says so already.
  const knew = v.checks.some((c) => c.id === 'harness/bundle' && c.verdict !== 'pass');
  if (!judged || knew) return undefined;
  const never = new Set(journal.flatMap((entry) => (entry.type === 'evidence.missing' ? [entry.what] : [])));
  const gone = missing.filter(({ file }) => JUDGED.includes(file) && !never.has(file));
  if (gone.length === 0) return undefined;
  const files = gone.map(({ file, reason }) => `${file} is not as it was judged (${reason})`).join(', ');
  return {
    id: 'report/evidence',
    group: 'harness',
    title: 'What was judged is in the bundle',
    verdict: 'unknown',
    message: `${files}: judge the bundle again`,
    informational: false,
    evidence: gone.map(({ file }) => ({ file, query: 'the whole file' })),
  };
}
