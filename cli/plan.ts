import type { CommandModule } from 'yargs';
import { formatDuration } from '../base/duration.ts';
import { undetectableRules } from '../evidence/detectable.ts';
import type { Plan } from '../evidence/plan.ts';
import { type PlanOptions, planOptions, prepare } from './prepare.ts';

export const planCommand: CommandModule<object, PlanOptions & { json: boolean }> = {
  command: 'plan <scenarios..>',
  describe:
    'Show everything that a run would do, when, what undoes it and what it could not detect; starts nothing',
  builder: (y) =>
    planOptions(y).option('json', {
      type: 'boolean',
      default: false,
      describe: 'Print the plan document',
    }) as never,
  async handler(options) {
    const prepared = await prepare(options);
    const plans = prepared.scenarios.map((s) => s.makePlan(new Date()));
    process.stdout.write(
      options.json ? `${JSON.stringify(plans, null, 2)}\n` : plans.map(describePlan).join('\n'),
    );
  },
};

function describePlan(plan: Plan): string {
  const at = (ms: number) => formatDuration(ms).padStart(8);
  const lines = [
    `${plan.scenario.name}: ${plan.scenario.title}`,
    ...(plan.scenario.clauses
      ? plan.scenario.clauses.map(
          ({ says, judgedBy }, i) =>
            `  ${i === 0 ? 'claim  ' : '       '}  ${says}  [${judgedBy.join(', ')}]`,
        )
      : [`  claim    ${plan.scenario.claim}`]),
    `  target   ${plan.target.name}, profile ${plan.profile.name}, time scale ${plan.run.timeScale}${plan.run.loadScale ? `, load scale ${JSON.stringify(plan.run.loadScale)}` : ''}`,
    `  load     k6 ${plan.load.pods === undefined ? 'on this machine' : `in ${plan.load.pods} pods of the cluster`}`,
    '  timeline',
  ];
  const acts = [
    ...plan.phases.map((p) => ({
      ms: p.startMs,
      text: `phase ${p.name} for ${formatDuration(p.endMs - p.startMs)}: ${plan.streams.map((s) => `${s.name} ${s.segments.find((g) => g.phase === p.name)?.rate ?? 0}/s`).join(', ')}`,
    })),
    ...plan.faults.flatMap((f) => [
      {
        ms: f.injectMs,
        text: `inject ${f.name} (${f.kind} ${JSON.stringify(f.params)}); proof within ${formatDuration(f.effectWithinMs)}: ${f.probe}`,
      },
      { ms: f.revertMs, text: `revert ${f.name}: ${f.undo}` },
    ]),
    {
      ms: plan.phases.at(-1)?.endMs ?? 0,
      text: `drain: at most ${formatDuration(plan.ledger.drainMs)} until every accepted event is processed`,
    },
  ].sort((a, b) => a.ms - b.ms);
  lines.push(...acts.map((a) => `  ${at(a.ms)}  ${a.text}`), '  objectives');
  for (const o of plan.objectives)
    lines.push(
      `    ${o.name} ${o.op} ${o.target}${o.timeScaled ? ' (scaled)' : ''} in ${o.phases.join(', ')}${o.informational ? ' (informational)' : ''}`,
    );
  lines.push('  alerts');
  for (const a of plan.alerts) {
    if (a.expect === 'must-fire')
      lines.push(
        `    ${a.alert} must fire within ${formatDuration((a.withinMs ?? 0) + plan.slackMs)} of ${a.fault}'s effect, and clear within ${formatDuration((a.clearsWithinMs ?? 0) + plan.slackMs)} of its end`,
      );
    else lines.push(`    ${a.alert} ${a.expect.replaceAll('-', ' ')}`);
  }
  const blind = undetectableRules(plan).map((r) => r.alert);
  lines.push(`    none of the other ${plan.rules.length - plan.alerts.length} rules may fire`);
  if (blind.length > 0)
    lines.push(
      '  could not be detected by a run this short at this time scale, so their silence proves nothing',
      `    ${blind.join(', ')}`,
    );
  return `${lines.join('\n')}\n`;
}
