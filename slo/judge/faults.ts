/** Did each planned fault live its whole life: injected, effect seen, reverted, effect gone, audited? */
import { checkId } from '../../evidence/check-ids.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES } from '../../evidence/tables.ts';
import type { FaultResult, Verdict } from '../../evidence/verdict.ts';
import type { Context, Finding } from './context.ts';
import { type FaultFacts, lateAfterMs, revertLateMs, unwatchedMs } from './fault-facts.ts';
import { rounded, seconds } from './numbers.ts';

export async function checkFaults(c: Context): Promise<Finding> {
  const checks = [];
  const faults: FaultResult[] = [];
  for (const planned of c.plan.faults) {
    const id = checkId.fault(planned.name);
    let facts: FaultFacts | undefined;
    const check = await c.check(
      { id, group: 'fault', title: `${planned.kind}: injected, proven, undone` },
      async () => {
        facts = (await c.faults()).find((f) => f.planned === planned);
        if (!facts) throw new Error(`no facts of ${planned.name}`);
        const [verdict, message] = lifeOf(facts, c.plan);
        const window = {
          fromMs: rounded(facts.injectingMs) ?? planned.injectMs,
          toMs: rounded(facts.effectGoneMs ?? facts.revertedMs) ?? planned.revertMs,
        };
        return {
          verdict,
          message,
          evidence: [{ file: FILES.journal, query: `fault.* where fault = ${planned.name}`, window }],
        };
      },
    );
    checks.push(check);
    faults.push({
      checkId: id,
      name: planned.name,
      kind: planned.kind,
      verdict: check.verdict,
      injectedMs: rounded(facts?.injectedMs ?? facts?.injectingMs),
      effectSeenMs: rounded(facts?.effectSeenMs),
      revertedMs: rounded(facts?.revertedMs),
      effectGoneMs: rounded(facts?.effectGoneMs),
      auditClean: facts?.auditClean ?? null,
      detail: facts?.detail ?? '',
    });
  }
  return { checks, faults };
}

function lifeOf(f: FaultFacts, plan: Plan): [Verdict, string] {
  const { planned } = f;
  const refused = f.errors.find((e) => e.step === 'guardrail');
  const overtaken = f.errors.find((e) => e.step === 'overtaken');
  const unfinished = f.errors.find((e) => e.step === 'unfinished');
  const told = [refused, overtaken, unfinished];
  const broken = f.errors.find((e) => e.step !== 'probe' && !told.includes(e));
  const forced = f.forced.length > 0 ? `; forced: ${f.forced.join(', ')}` : '';
  if (broken) return ['error', `the injector failed at ${broken.step}: ${broken.message}${forced}`];
  if (f.auditClean === false)
    return ['error', `the undo left something behind: ${f.leaks.join(', ') || 'not named'}${forced}`];
  if (refused) return ['unknown', `a guardrail kept it from acting: ${refused.message}`];
  if (f.injectingMs === null) return ['unknown', 'it was never injected'];
  if (f.injectedMs === null)
    return [
      'unknown',
      `its injection was begun and never completed${overtaken ? `: when it was reverted, ${overtaken.message}` : unfinished ? `: ${unfinished.message}` : ''}`,
    ];
  if (f.revertingMs !== null && f.revertedMs === null)
    return ['error', 'its revert was begun and never completed'];
  // The audit is clean: nothing is left of the fault. Whether the platform did not come back, others judge, and outweigh this.
  if (f.revertedMs !== null && f.effectGoneMs === null)
    return [
      f.auditClean ? 'unknown' : 'error',
      `its effect was not gone within ${seconds(planned.effectWithinMs)} of the revert${f.auditClean ? ', though nothing of it is left: what it hit did not come back in that time' : ''}: ${f.detail}`,
    ];
  if (
    f.revertedMs !== null &&
    f.effectGoneMs !== null &&
    f.effectGoneMs - f.revertedMs > planned.effectWithinMs
  ) {
    return [
      f.auditClean ? 'unknown' : 'error',
      `its effect was gone ${seconds(f.effectGoneMs - f.revertedMs)} after the revert, later than ${seconds(planned.effectWithinMs)}`,
    ];
  }
  const probeError = f.errors.find((e) => e.step === 'probe');
  if (probeError) return ['unknown', `its probe proves nothing: ${probeError.message}`];
  if (f.effectSeenMs === null)
    return [
      'unknown',
      `its effect was not seen within ${seconds(planned.effectWithinMs)}: the fault is not proven to have bitten${f.detail ? ` (${f.detail})` : ''}`,
    ];
  const unwatched = unwatchedMs(f);
  if (unwatched !== null)
    return [
      'unknown',
      `its effect was last seen ${seconds(unwatched - f.injectingMs)} after the injection began, and not again until the revert${f.lostMs === null ? '' : `: ${f.detail}`}`,
    ];
  if (!f.proven)
    return [
      'unknown',
      `its effect was seen ${seconds(f.effectSeenMs - f.injectingMs)} after the injection began, outside the ${seconds(planned.effectWithinMs)} in which it proves something`,
    ];
  const late = f.injectingMs - planned.injectMs;
  if (Math.abs(late) > lateAfterMs(plan))
    return [
      'unknown',
      `it was injected ${seconds(Math.abs(late))} ${late > 0 ? 'after' : 'before'} its planned time: the phases do not show it as planned`,
    ];
  const lateRevert = revertLateMs(plan, f);
  if (lateRevert !== null)
    return [
      'unknown',
      `its revert began ${seconds(lateRevert)} after its planned time: the phases do not show it as planned`,
    ];
  if (f.revertedMs === null) return ['unknown', 'it was never reverted by the run'];
  if (f.auditClean === null) return ['unknown', 'nobody audited whether its undo was complete'];
  return [
    'pass',
    `effect seen after ${seconds(f.effectSeenMs - f.injectingMs)}, gone ${seconds((f.effectGoneMs ?? 0) - f.revertedMs)} after the revert, nothing left behind`,
  ];
}
