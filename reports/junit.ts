/**
 * JUnit XML, as CI servers read it: one suite for the run, one test case for each check, and the case `verdict` for the
 * whole, so that a run without any check can not look green; one more when what was judged is not here any more (gone.ts).
 * fail -> `<failure>`; unknown and error -> `<error>`; informational checks always pass and say what they found in `<system-out>`.
 */
import type { Check, Verdict } from '../evidence/verdict.ts';
import type { Outcome } from './bundle.ts';
import { escapeXml } from './format.ts';
import { goneCheck } from './gone.ts';

const attributes = (values: Record<string, string | number>) =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
    .join('');

function element(verdict: Verdict, message: string, body: string): string {
  if (verdict === 'pass') return '';
  const tag = verdict === 'fail' ? 'failure' : 'error';
  return `<${tag}${attributes({ type: verdict, message })}>${escapeXml(body)}</${tag}>`;
}

const evidenceText = (check: Check) =>
  check.evidence.map((e) => {
    const where = e.window ? ` from ${e.window.fromMs} ms to ${e.window.toMs} ms` : '';
    return `${e.file}${where}${e.samples === undefined ? '' : `, ${e.samples} samples`}\n${e.query}`;
  });

function checkCase(suite: string, check: Check): string {
  const said = check.informational ? `for information, ${check.verdict}: ${check.message}` : check.message;
  const result = check.informational
    ? ''
    : element(check.verdict, check.message, [check.message, ...evidenceText(check)].join('\n'));
  return `    <testcase${attributes({ classname: `${suite}.${check.group}`, name: check.id })}>${result}<system-out>${escapeXml(`${check.title}: ${said}`)}</system-out></testcase>`;
}

/** Same bundle, same bytes. */
export function renderJUnit(outcome: Outcome): string {
  const { verdict: v } = outcome;
  const suite = v.run.scenario;
  const gone = goneCheck(outcome);
  const checks = gone ? [gone, ...v.checks] : v.checks;
  const counted = [v.verdict, ...checks.filter((c) => !c.informational).map((c) => c.verdict)];
  const counts = {
    tests: checks.length + 1,
    failures: counted.filter((x) => x === 'fail').length,
    errors: counted.filter((x) => x === 'unknown' || x === 'error').length,
    skipped: 0,
    time: (v.run.durationMs / 1000).toFixed(3),
  };
  const properties: Record<string, string | number> = {
    run: v.run.id,
    title: v.run.title,
    target: v.run.target,
    profile: v.run.profile,
    seed: v.run.seed,
    timeScale: v.run.timeScale,
    defects: v.run.defects.join(' '),
    ...(v.run.loadScale ? { loadScale: JSON.stringify(v.run.loadScale) } : {}),
    outcome: v.run.outcome,
  };
  const reasons = v.reasons.length > 0 ? v.reasons : [v.verdict];
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites${attributes({ name: 'faultline', ...counts })}>
  <testsuite${attributes({ name: suite, ...counts, ...(v.run.startedAt ? { timestamp: v.run.startedAt } : {}) })}>
    <properties>${Object.entries(properties)
      .map(([name, value]) => `\n      <property${attributes({ name, value })}/>`)
      .join('')}
    </properties>
    <testcase${attributes({ classname: suite, name: 'verdict', time: counts.time })}>${element(v.verdict, reasons[0] ?? '', reasons.join('\n'))}<system-out>${escapeXml(v.run.claim)}</system-out></testcase>
${checks.map((check) => `${checkCase(suite, check)}\n`).join('')}  </testsuite>
</testsuites>
`;
}
