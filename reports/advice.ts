/** What a person should do next, from what was found: one sentence per kind of finding, at most five. */
import type { Verdict } from '../evidence/verdict.ts';
import type { Outcome } from './bundle.ts';
import { goneCheck } from './gone.ts';

/** Undoes what it finds, so it is right whether a leak was seen or may be there. */
const CLEAN =
  'Something of the run may still be there. Run `faultline clean`, which undoes what is left, read the fault checks and the leak audit below, and repeat.';
const NOT_WHOLE =
  'The journal does not show one whole run, so nothing is proven. Read the reason above, then repeat the run.';

/** By the check's id, or else by its group. A fault never fails: it is proven, or not, or its injector broke. */
const AFTER: Record<Exclude<Verdict, 'pass'>, Record<string, string>> = {
  error: { fault: CLEAN, 'harness/audit': CLEAN, 'harness/outcome': NOT_WHOLE },
  fail: {
    'harness/outcome':
      'The run was stopped early because of the platform: the reason above says what was too much. Zoom the timeline to its end, repair that, and repeat.',
    load: 'The load did not run as planned. Lower the rate or run on a quieter machine, then repeat.',
    objective:
      'Open the failed objective, zoom the timeline to its window, and compare errors and response time with the fault bar above them.',
    alert:
      'Compare the alert lane with the fault lane: did the expression become true (pending), did `for` outlast the fault, or did the notification come late?',
    recovery:
      'Zoom to the recover phase: the queue, the builder’s jobs and the time from sent to processed show what came back last.',
    ledger:
      'List the events concerned with the query under the ledger check, and follow their ids through the logs of the bundle.',
    telemetry:
      'The platform’s own numbers disagree with what its clients saw. Compare both sides in the core metrics before you trust a dashboard or an alert.',
  },
  unknown: {
    'harness/outcome': NOT_WHOLE,
    'harness/bundle':
      'The bundle is not whole: its check below says what is wrong with which file. Bring it back and judge the bundle again, or repeat the run.',
    'harness/audit':
      'Nobody looked at the end whether the run left something behind. `faultline clean --dry-run` says what is there.',
    'harness/claim':
      'The claim names checks that were not made. See below why they are not there, or correct the scenario’s clauses, and repeat.',
    load: 'The load generator cannot be trusted here. Use fewer requests a second, or a machine with idle cores, and repeat.',
    fault:
      'The fault was not proven to bite, so the run shows nothing about it. Check the probe’s answer in the journal, then the fault’s parameters.',
    objective:
      'Too little evidence for an objective. Make the phase longer or the rate higher, so that it can be resolved.',
    alert:
      'The alert’s evidence is missing. See that Prometheus and the receiver lived through the whole run.',
    recovery: 'Recovery was not seen before the evidence ended. Make the last phase longer and repeat.',
    ledger: 'Events were still open when the drain ended. Make the drain longer, then repeat.',
    telemetry:
      'The platform’s metrics were not all there. See that Prometheus lived through the run and that the profile names are right.',
  },
};
const OTHER = 'Read the checks below that did not pass: they say what they could not do.';

export function nextSteps(outcome: Outcome): string[] {
  const { verdict: v, judged, missing } = outcome;
  if (!judged) return ['Judge the bundle, then write the report again (commands under “Run it again”).'];
  const steps: string[] = [];
  const counted = v.checks.filter((c) => !c.informational && c.verdict !== 'pass');
  for (const kind of ['error', 'fail', 'unknown'] as const)
    for (const check of counted.filter((c) => c.verdict === kind)) {
      const step = AFTER[kind][check.id] ?? AFTER[kind][check.group] ?? OTHER;
      if (!steps.includes(step)) steps.push(step);
    }
  const host = v.checks.find((c) => c.id === 'harness/host' && c.verdict !== 'pass');
  if (host && steps.length > 0)
    steps.unshift(`${host.message.charAt(0).toUpperCase()}${host.message.slice(1)}.`);
  if (v.verdict === 'error')
    steps.unshift(
      'The harness itself failed: its logs are in `logs/` of the bundle. This says nothing about the platform.',
    );
  if (v.run.outcome === 'interrupted')
    steps.push('The run was interrupted; start it again to get a full verdict.');
  if (v.run.defects.length > 0)
    steps.push(
      v.verdict === 'pass'
        ? `A known defect was switched on (${v.run.defects.join(', ')}) and the run passed: this scenario cannot see it.`
        : `A known defect was switched on (${v.run.defects.join(', ')}); a run that finds it does its work. Leave it off to test the platform.`,
    );
  const gone = goneCheck(outcome);
  if (gone)
    steps.unshift(
      `Evidence that the judge reads is not here (${gone.evidence.map((e) => e.file).join(', ')}): judge the bundle again before you trust this verdict.`,
    );
  if (steps.length === 0 && missing.length > 0)
    steps.push('Some evidence is missing (listed below); the judge did not need it.');
  if (steps.length === 0) {
    const tight = v.objectives.filter((o) => (o.budget?.spentShare ?? 0) > 0.5).length;
    if (tight > 0)
      steps.push(
        `Look at the ${tight} error budget(s) of which more than half is spent: they pass, with little to spare.`,
      );
    steps.push('Nothing needs doing. Keep the bundle as a baseline to compare later runs with.');
  }
  return steps.slice(0, 5);
}
