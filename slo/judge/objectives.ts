/**
 * Objectives: each in each of its phases. Where the evidence can be read in two ways (requests that the generator did not
 * send, or sent too late), it is read both ways, and the objective is unknown when the answer depends on it. A pass in a phase that an unproven
 * fault covers is unknown; a fail stays a fail.
 */
import { checkId } from '../../evidence/check-ids.ts';
import type { Indicator, Objective } from '../../evidence/plan.ts';
import type { Check, Evidence, ObjectiveResult, Verdict } from '../../evidence/verdict.ts';
import type { Context, Finding } from './context.ts';
import { gapProblems, gaugeGapProblems, phaseGapProblems } from './heartbeat.ts';
import { measure, type Reading } from './indicators.ts';
import { lateStreams } from './load.ts';
import { compare, OP_SIGN, rounded, text } from './numbers.ts';
import { unansweredOf } from './unanswered.ts';

export async function checkObjectives(c: Context): Promise<Finding> {
  const checks: Check[] = [];
  const objectives: ObjectiveResult[] = [];
  for (const objective of c.plan.objectives) {
    // One reading serves all phases of an objective: one scan.
    let readings: Promise<Map<string, Reading>> | undefined;
    for (const phase of objective.phases) {
      const id = checkId.objective(objective.name, phase);
      let reading: Reading | undefined;
      const check = await c.check(
        {
          id,
          group: 'objective',
          title: `${objective.title} (${phase})`,
          informational: objective.informational,
        },
        async () => {
          const window = c.window(phase);
          if (!window) return { verdict: 'unknown', message: `the plan has no phase ${phase}`, evidence: [] };
          readings ??= measure(c, objective);
          reading = (await readings).get(phase);
          if (!reading)
            return { verdict: 'unknown', message: `nothing was measured in ${phase}`, evidence: [] };
          let judged = judgeReading(objective, reading);
          if (judged[0] === 'fail')
            judged = (await withoutLateness(c, objective, phase, judged[1])) ?? judged;
          const within = { phase, fromMs: window.startMs, toMs: window.endMs };
          const evidence: Evidence[] = [{ ...reading.evidence, window: within, samples: reading.samples }];
          const unanswered = judged[0] === 'fail' ? await unansweredOf(c, objective, phase) : null;
          if (unanswered) {
            judged = ['fail', `${judged[1]}; ${unanswered.text}`];
            evidence.push({ ...unanswered.evidence, window: within });
          }
          if (judged[0] !== 'pass') {
            const overstayed = await c.overstayed(window.startMs, window.endMs);
            if (judged[0] === 'unknown' || overstayed.length === 0)
              return { verdict: judged[0], message: judged[1], evidence };
            const names = overstayed.map((f) => f.planned.name).join(', ');
            const message = `${judged[1]}, but ${names} was reverted later than planned, in ${phase}`;
            return { verdict: 'unknown', message, evidence };
          }
          // A high value that was seen stays seen; that none was, is worth something only where somebody looked.
          const gaps = await gapsOf(c, objective, phase);
          if (gaps.length > 0)
            return { verdict: 'unknown', message: [judged[1], ...gaps].join('; '), evidence };
          const unproven = await c.unproven(window.startMs, window.endMs);
          if (unproven.length === 0) return { verdict: 'pass', message: judged[1], evidence };
          return {
            verdict: 'unknown',
            message: `${judged[1]}, but ${unproven.map((f) => f.planned.name).join(', ')} is not proven to have bitten for most of its time in ${phase}`,
            evidence,
          };
        },
      );
      checks.push(check);
      objectives.push(resultOf(objective, phase, check, reading));
    }
  }
  return { checks, objectives };
}

async function gapsOf(c: Context, { indicator }: Objective, phase: string): Promise<string[]> {
  if (indicator.type !== 'series') return [];
  const { kind, query } = indicator;
  const own =
    kind === 'range'
      ? await gaugeGapProblems(c, phase, query)
      : kind === 'phase' && phase === 'run'
        ? await phaseGapProblems(c, query)
        : [];
  return [...(await gapProblems(c, phase)), ...own];
}

/**
 * Latency counts from the intended start, so what the generator itself was late by is in it. Where it was later than it may be, a fail
 * must hold from the sending on as well; where it was not, the intended start rules. @returns null: it stays a fail
 */
async function withoutLateness(
  c: Context,
  o: Objective,
  phase: string,
  failed: string,
): Promise<[Verdict, string] | null> {
  const { indicator } = o;
  if (indicator.type === 'series') return null;
  const { table, where } = indicator.type === 'ratio' ? indicator.total : indicator.rows;
  if (table !== 'requests') return null;
  const late = await lateStreams(c, where, phase);
  if (late.length === 0) return null;
  const served = JSON.parse(JSON.stringify(indicator).replaceAll(/\blatency_s\b/g, 'service_s')) as Indicator;
  const reading = (await measure(c, { ...o, indicator: served, phases: [phase] })).get(phase);
  if (!reading || judgeReading(o, reading)[0] === 'fail') return null;
  return [
    'unknown',
    `${failed}; ${text(reading.measured)} by the time from sending: the generator was late (${late.join('; ')}), and the answer depends on it`,
  ];
}

function judgeReading(o: Objective, r: Reading): [Verdict, string] {
  const unit = r.unit === '' ? '' : ` ${r.unit}`;
  const bound = `${OP_SIGN[o.op]} ${text(o.target)}${unit}`;
  if (r.samples === 0 || r.measured === null)
    return [
      'unknown',
      `no ${r.counted} to measure ${o.name} by${r.unsent > 0 ? `, but ${r.unsent} ${r.unsentAre}` : ''} (expected ${bound})`,
    ];
  const shown = `${text(r.measured)}${unit}`;
  if (r.samples < o.minSamples)
    return [
      'unknown',
      `${shown} from ${r.samples} ${r.counted}: at least ${o.minSamples} are needed to judge it (expected ${bound})`,
    ];
  const strict = compare(r.measured, o.op, o.target);
  const lenient = r.without === null ? strict : compare(r.without, o.op, o.target);
  if (strict !== lenient)
    return [
      'unknown',
      `${shown} with and ${text(r.without)}${unit} without the ${r.unsent} ${r.unsentAre}: the answer depends on them (expected ${bound})`,
    ];
  const message = `${shown} from ${r.samples} ${r.counted}, expected ${bound}`;
  return [strict ? 'pass' : 'fail', message];
}

function resultOf(o: Objective, phase: string, check: Check, reading: Reading | undefined): ObjectiveResult {
  const budget = reading?.budget ?? null;
  return {
    checkId: check.id,
    name: o.name,
    title: o.title,
    source: o.source,
    phase,
    verdict: check.verdict,
    measured: rounded(reading?.measured),
    op: o.op,
    target: o.target,
    unit: reading?.unit ?? (o.indicator.type === 'ratio' ? '' : o.indicator.unit),
    samples: reading?.samples ?? 0,
    budget: budget && {
      allowed: rounded(budget.allowed) ?? 0,
      spent: budget.spent,
      spentShare: budget.allowed > 0 ? rounded(budget.spent / budget.allowed) : budget.spent === 0 ? 0 : null,
    },
  };
}
