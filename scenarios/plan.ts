/**
 * Scenario + catalog -> plan: every instant resolved, divided by the time scale, and everything refused that could not
 * be judged afterwards. Pure: starts nothing, reads no clock.
 */

import { formatDuration } from '../base/duration.ts';
import type { Diagnostic } from '../base/errors.ts';
import { RefusedError } from '../base/errors.ts';
import { segmentCount } from '../base/schedule.ts';
import { countedChecks, type Judged, names } from '../evidence/check-ids.ts';
import {
  detectionBudgetMs,
  isBlind,
  MIN_SCRAPES_PER_WINDOW,
  scrapedEveryMs,
} from '../evidence/detectable.ts';
import {
  type AlertContract,
  BUNDLE_VERSION,
  type Objective,
  type Phase,
  type Plan,
  type PlannedFault,
  type PlannedRule,
  type RecoveryContract,
  type Stream,
} from '../evidence/plan.ts';
import type { Catalog } from './catalog.ts';
import type { ScenarioFile } from './load.ts';
import { PHASES, type PhaseName, SCRIPT_PARAMS, type Scenario } from './schema.ts';

export interface RunFacts {
  id: string;
  seed: number;
  timeScale: number;
  startedAt: string;
  defects: string[];
  /** Factor on the rates of a stream, by its name; `*` for those that have none. */
  loadScale: Record<string, number>;
  targetDetail: Record<string, string>;
  versions: Record<string, string>;
  host: Record<string, string | number>;
  sharedCores: number;
  /** k6 runs in so many pods; 0: on this host. */
  loadPods: number;
}

/**
 * What the time scale can not compress, allowed once per deadline: a process start, a scrape and an evaluation out of
 * phase, Alertmanager's grouping and the notification. Measured on 2 busy cores: 0.4 to 1.6 s.
 */
export const SLACK_MS = 2000;

/** How often a lasting effect is looked for again: in each quarter of the fault. A look costs what it looks at a few requests. */
const LOOKS = 4;
/** Room for three looks in a row (engine/fault-life.ts) that take half a second each, as long as one may (chaos/fault.ts). */
const WATCH_MS = 1500;

/** p99 of how late the generator may send, ms. */
const MAX_LATENESS_MS = 100;

type Spec = Scenario['spec'];

/** @throws RefusedError with every problem of the scenario on this catalog. */
export function makePlan(scenario: ScenarioFile, catalog: Catalog, facts: RunFacts): Plan {
  const { spec, metadata } = scenario.value;
  const problems: Diagnostic[] = [];
  const complain = (path: PropertyKey[], message: string) =>
    problems.push({
      file: scenario.file,
      line: scenario.lineOf(['spec', ...path]),
      field: ['spec', ...path].map(String).join('.'),
      message,
    });

  refuseDuplicates(spec, complain);
  const phases = planPhases(spec, facts.timeScale, complain);
  const factors = Object.fromEntries(
    spec.load.map(({ name }) => [name, facts.loadScale[name] ?? facts.loadScale['*'] ?? 1]),
  );
  spec.load.forEach(({ script, params }, i) => {
    if (script === 'builds' && params.source !== undefined && !catalog.objectStore)
      complain(
        ['load', i, 'params', 'source'],
        `target ${catalog.target} has no object store of the run's own: expected builds without a source`,
      );
    if (!catalog.scripts.includes(script))
      complain(
        ['load', i, 'script'],
        `profile ${catalog.profile.name} has no way in for "${script}": expected one of ${catalog.scripts.join(', ')}`,
      );
  });
  refuseStrangers(spec, phases, complain);
  refuseThoseThatStay(spec, catalog, complain);
  const streams = spec.load.map((load, i) => planStream(load, factors[load.name] ?? 1, i, phases, complain));
  const faults = spec.faults.flatMap(
    (fault, i) => planFault(fault, i, phases, facts.timeScale, catalog, complain) ?? [],
  );
  const objectives = spec.objectives.flatMap(
    (use, i) => planObjective(use, i, phases, streams, catalog, complain) ?? [],
  );
  const alerts = planAlerts(spec, faults, phases, facts.timeScale, catalog, complain);
  const recovery = planRecovery(spec, streams, faults, phases, facts.timeScale, complain);
  refuseBlindRules(alerts, catalog, facts.timeScale, complain);
  for (const field of ['failsWith', 'refusedWhile'] as const)
    spec.ledger[field].forEach((name, i) => {
      if (spec.faults.every((fault) => fault.name !== name))
        complain(['ledger', field, i], `the scenario has no fault "${name}"`);
    });

  const kinds = new Set(streams.map((s) => s.script));
  const ledger = {
    drainMs: spec.ledger.drain,
    maxRefusedShare: spec.ledger.maxRefusedShare,
    ...(spec.ledger.refusedWhile.length > 0 ? { refusedWhile: spec.ledger.refusedWhile } : {}),
    maxLost: spec.ledger.maxLost,
    maxFailed: spec.ledger.maxFailed,
    ...(spec.ledger.failsWith.length > 0 ? { failsWith: spec.ledger.failsWith } : {}),
    maxDuplicated: spec.ledger.maxDuplicated,
    maxUnexpected: spec.ledger.maxUnexpected,
  };
  const honesty = catalog.profile.honesty.filter((h) => [...kinds].some((kind) => h.name.startsWith(kind)));
  const judged = { streams, faults, objectives, alerts, rules: catalog.rules, recovery, ledger, honesty };
  // What names another problem's victim would be a problem that is none.
  if (problems.length === 0) refuseUnjudged(spec.claim, judged, complain);
  if (problems.length > 0) throw new RefusedError(problems);
  return {
    version: BUNDLE_VERSION,
    run: {
      id: facts.id,
      seed: facts.seed,
      timeScale: facts.timeScale,
      startedAt: facts.startedAt,
      defects: facts.defects,
      ...(Object.values(factors).some((factor) => factor !== 1) ? { loadScale: factors } : {}),
    },
    scenario: {
      name: metadata.name,
      title: metadata.title,
      ...(typeof spec.claim === 'string'
        ? { claim: spec.claim }
        : { claim: spec.claim.map(({ says }) => says).join(' '), clauses: spec.claim }),
      file: scenario.file,
      sha256: scenario.sha256,
      text: scenario.text,
    },
    target: { name: catalog.target, detail: facts.targetDetail },
    profile: { name: catalog.profile.name, sha256: catalog.profile.sha256 },
    versions: facts.versions,
    host: facts.host,
    slackMs: SLACK_MS,
    scrapeMs: catalog.scrapeMs,
    evaluationMs: catalog.evaluationMs,
    phases,
    ...judged,
    // The generator shares its cores with the platform on `local`: over 80 % of them it can not keep time (k6-benchmarks).
    load: {
      ...{ maxUnsentShare: 0.001, maxLatenessMs: MAX_LATENESS_MS, maxCpuShare: 0.8 * facts.sharedCores },
      ...(facts.loadPods > 0 ? { pods: facts.loadPods } : {}),
    },
    core: Object.fromEntries(
      streams.flatMap((s) =>
        catalog.profile.core[s.script]
          ? [[s.name, catalog.profile.core[s.script] as Record<string, string>]]
          : [],
      ),
    ),
  };
}

type Complain = (path: PropertyKey[], message: string) => void;

/** A clause that nothing judges would pass with the rest. */
function refuseUnjudged(claim: Spec['claim'], judged: Judged, complain: Complain): void {
  if (typeof claim === 'string') return;
  const ids = countedChecks(judged);
  for (const [i, { judgedBy }] of claim.entries())
    for (const [j, pattern] of judgedBy.entries()) {
      if (ids.some((id) => names(pattern, id))) continue;
      const [group] = pattern.split('/');
      const near = ids.filter((id) => id.startsWith(`${group}/`));
      complain(
        ['claim', i, 'judgedBy', j],
        `nothing is judged as "${pattern}": expected one of ${(near.length > 0 ? near : ids).join(', ')}`,
      );
    }
}

function refuseDuplicates(spec: Spec, complain: Complain): void {
  for (const list of ['load', 'faults', 'recovery'] as const) {
    const seen = new Set<string>();
    spec[list].forEach((item, i) => {
      if (seen.has(item.name))
        complain([list, i, 'name'], `"${item.name}" is used twice: expected a name of its own`);
      seen.add(item.name);
    });
  }
  const phased = new Set<string>();
  spec.objectives.forEach(({ ref, phases }, i) => {
    for (const phase of phases) {
      if (phased.has(`${ref} ${phase}`))
        complain(['objectives', i], `"${ref}" is judged twice in ${phase}: expected it once`);
      phased.add(`${ref} ${phase}`);
    }
  });
  const contracts = new Set<string>();
  spec.alerts.mustFire.forEach(({ alert, fault }, i) => {
    if (contracts.has(`${alert} ${fault}`))
      complain(['alerts', 'mustFire', i], `"${alert}" must fire twice for ${fault}: expected it once`);
    contracts.add(`${alert} ${fault}`);
  });
  for (const field of ['failsWith', 'refusedWhile'] as const)
    spec.ledger[field].forEach((name, i) => {
      if (spec.ledger[field].indexOf(name) < i)
        complain(['ledger', field, i], `"${name}" is there twice: expected it once`);
    });
  const prefixes = new Set<string>();
  spec.functions.forEach((f, i) => {
    if (prefixes.has(f.prefix))
      complain(['functions', i, 'prefix'], `"${f.prefix}" is used twice: expected a prefix of its own`);
    prefixes.add(f.prefix);
  });
}

/** Names that nothing in the scenario has, where they would silently come to nothing. */
function refuseStrangers(spec: Spec, phases: Phase[], complain: Complain): void {
  const oneOf = (names: readonly string[]) =>
    names.length > 0 ? `expected one of ${names.join(', ')}` : 'it has none';
  spec.load.forEach(({ script, params }, i) => {
    for (const name of Object.keys(params))
      if (!SCRIPT_PARAMS[script].includes(name))
        complain(
          ['load', i, 'params', name],
          `script "${script}" has no such parameter: ${oneOf(SCRIPT_PARAMS[script])}`,
        );
  });
  const streams = spec.load.map(({ name }) => name);
  spec.abort.forEach((condition, i) => {
    if (!streams.includes(condition.stream))
      complain(
        ['abort', i, 'stream'],
        `the scenario has no load stream "${condition.stream}": ${oneOf(streams)}`,
      );
    condition.phases.forEach((phase, j) => {
      if (phases.every(({ name }) => name !== phase))
        complain(
          ['abort', i, 'phases', j],
          `the scenario has no phase "${phase}": ${oneOf(phases.map(({ name }) => name))}`,
        );
    });
  });
}

/** The judge asks of every function whether it goes to zero (slo/judge/scaling-view.ts): what must stay would fail. */
function refuseThoseThatStay(spec: Spec, catalog: Catalog, complain: Complain): void {
  const stays = [
    ...spec.functions.filter(({ minScale }) => minScale > 0).map(({ prefix }) => `functions "${prefix}"`),
    ...spec.load
      .filter(({ script, params }) => script === 'updates' && Number(params.minScale ?? 0) > 0)
      .map(({ name }) => `functions that "${name}" updates`),
  ];
  if (stays.length === 0) return;
  spec.objectives.forEach((use, i) => {
    if (/\bto_zero\b/.test(JSON.stringify(catalog.objective(use)?.indicator ?? '')))
      complain(
        ['objectives', i, 'ref'],
        `"${use.ref}" is asked of every function, and ${stays.join(', ')} stay by their minScale: expected minScale 0, or a scenario of its own for those`,
      );
  });
}

function planPhases(spec: Spec, timeScale: number, complain: Complain): Phase[] {
  const phases: Phase[] = [];
  let at = 0;
  for (const name of PHASES) {
    const length = spec.phases[name];
    if (length === undefined) continue;
    if (length <= 0) complain(['phases', name], 'expected a duration above 0');
    phases.push({ name, startMs: at, endMs: at + length / timeScale });
    at += length / timeScale;
  }
  if (phases.length === 0) complain(['phases'], `expected at least one of ${PHASES.join(', ')}`);
  return phases;
}

function planStream(
  load: Spec['load'][number],
  factor: number,
  index: number,
  phases: Phase[],
  complain: Complain,
): Stream {
  for (const phase of Object.keys(load.rates)) {
    if (!phases.some((p) => p.name === phase))
      complain(
        ['load', index, 'rates', phase],
        `the scenario has no phase "${phase}": expected one of ${phases.map((p) => p.name).join(', ')}`,
      );
  }
  const segments = phases.map((phase) => {
    const rate = (load.rates[phase.name as PhaseName] ?? load.rate ?? 0) * factor;
    return {
      phase: phase.name,
      startMs: phase.startMs,
      endMs: phase.endMs,
      rate,
      count: segmentCount(phase.startMs, phase.endMs, rate),
    };
  });
  if (segments.every((s) => s.count === 0))
    complain(['load', index], 'sends nothing: expected a rate above 0 in some phase');
  return {
    name: load.name,
    script: load.script,
    segments,
    timeoutMs: load.timeout,
    maxVUs: load.maxVUs,
    ledger: load.script !== 'invocations',
    params: load.params,
  };
}

function planFault(
  fault: Spec['faults'][number],
  index: number,
  phases: Phase[],
  timeScale: number,
  catalog: Catalog,
  complain: Complain,
): PlannedFault | undefined {
  const described = catalog.fault(fault.kind);
  if (!described) {
    complain(
      ['faults', index, 'kind'],
      `unknown fault "${fault.kind}": expected one of ${catalog.faultKinds.join(', ')}`,
    );
    return undefined;
  }
  const start = phases.find((p) => p.name === fault.at);
  const end = phases.find((p) => p.name === fault.until);
  if (!start) complain(['faults', index, 'at'], `the scenario has no phase "${fault.at}"`);
  if (!end)
    complain(
      ['faults', index, 'until'],
      `the scenario has no phase "${fault.until}": it would never be reverted`,
    );
  if (!start || !end) return undefined;
  const injectMs = start.startMs + (fault.after ?? 0) / timeScale;
  if (end.startMs <= injectMs)
    complain(
      ['faults', index, 'until'],
      `reverted at ${seconds(end.startMs)}, not after its injection at ${seconds(injectMs)}: expected a later phase`,
    );
  else if (end.startMs - injectMs < fault.effectWithin)
    complain(
      ['faults', index, 'effectWithin'],
      `the fault lasts ${seconds(end.startMs - injectMs)} at this time scale, less than the ${seconds(fault.effectWithin)} in which its effect must be proven`,
    );
  const refusal = described.refuse(fault.params);
  if (refusal !== undefined) complain(['faults', index, 'params'], refusal);
  return {
    name: fault.name,
    kind: fault.kind,
    params: fault.params,
    injectMs,
    revertMs: end.startMs,
    effectWithinMs: fault.effectWithin,
    watchEveryMs: described.lasts ? Math.max(WATCH_MS, (end.startMs - injectMs) / LOOKS) : null,
    undo: described.undo(fault.params),
    probe: described.probe(fault.params),
  };
}

function planObjective(
  use: Spec['objectives'][number],
  index: number,
  phases: Phase[],
  streams: Stream[],
  catalog: Catalog,
  complain: Complain,
): Objective | undefined {
  const objective = catalog.objective(use);
  if (!objective) {
    complain(
      ['objectives', index, 'ref'],
      `unknown objective "${use.ref}": expected one of ${catalog.objectiveNames.join(', ')}`,
    );
    return undefined;
  }
  if (!catalog.tellsColdStarts && /\bcold\b/.test(JSON.stringify(objective.indicator)))
    complain(
      ['objectives', index, 'ref'],
      `the answers of a platform of profile ${catalog.profile.name} do not say which of them were cold starts: "${use.ref}" can not be judged`,
    );
  if (objective.timeScaled && 'unit' in objective.indicator && objective.indicator.unit === 's')
    if (objective.target * 1000 <= catalog.idleWindowMs)
      complain(
        ['objectives', index, 'ref'],
        `"${use.ref}" is ${objective.target} s at this time scale, and on target ${catalog.target} nothing is scaled to zero before ${seconds(catalog.idleWindowMs)}: expected a smaller --time-scale`,
      );
  if (objective.indicator.type === 'ratio' && (objective.target < 0 || objective.target > 1))
    complain(['objectives', index, 'target'], `${objective.target} is no share: expected 0 to 1`);
  for (const name of use.phases) {
    const phase =
      name === 'run' ? { startMs: 0, endMs: phases.at(-1)?.endMs ?? 0 } : phases.find((p) => p.name === name);
    if (!phase) {
      complain(['objectives', index, 'phases'], `the scenario has no phase "${name}"`);
      continue;
    }
    // A query of kind `phase` is asked once for each phase, also for the run.
    const isByPhase = objective.indicator.type === 'series' && objective.indicator.kind === 'phase';
    const windows = name === 'run' && isByPhase ? phases : [{ ...phase, name }];
    for (const window of objective.indicator.type === 'series' ? windows : []) {
      const length = window.endMs - window.startMs;
      if (length < MIN_SCRAPES_PER_WINDOW * catalog.scrapeMs)
        complain(
          ['objectives', index, 'phases'],
          `phase "${window.name}" lasts ${seconds(length)}, under ${MIN_SCRAPES_PER_WINDOW} scrapes of ${seconds(catalog.scrapeMs)}: expected a longer phase or a smaller --time-scale`,
        );
    }
    if (objective.indicator.type === 'ratio') refuseUnresolvable(objective, name, index, streams, complain);
  }
  return objective;
}

/**
 * A ratio of 99.9 % can not be told from 99 % with 100 requests: one bad one must fit in the budget. And with fewer than the objective's own
 * minimum, the judge knows nothing after the whole run.
 */
function refuseUnresolvable(
  objective: Objective,
  phase: string,
  index: number,
  streams: Stream[],
  complain: Complain,
): void {
  if (objective.indicator.type !== 'ratio' || objective.indicator.total.table === 'scaling') return;
  const condition = /\bstream\s*(?:=|IN)\s*\(?((?:'[^']+'[,\s]*)+)/i.exec(
    objective.indicator.total.where,
  )?.[1];
  const counted = streams
    .filter((s) => condition === undefined || condition.includes(`'${s.name}'`))
    .flatMap((s) => s.segments)
    .filter((s) => phase === 'run' || s.phase === phase);
  const intended = counted.reduce((sum, s) => sum + s.count, 0);
  const { target, minSamples } = objective;
  const resolved = target < 1 ? Math.ceil(Number((1 / (1 - target)).toPrecision(9))) : 1;
  const needed = Math.max(resolved, minSamples);
  if (intended < needed)
    complain(
      ['objectives', index],
      `"${objective.name}" in ${phase}: ${intended} requests can not resolve ${target * 100} %: expected at least ${needed} (raise the rate, lengthen the phase, lower --time-scale, or judge over the run)`,
    );
}

function planAlerts(
  spec: Spec,
  faults: PlannedFault[],
  phases: Phase[],
  timeScale: number,
  catalog: Catalog,
  complain: Complain,
): AlertContract[] {
  const known = new Map(catalog.rules.map((r) => [r.alert, r]));
  const contracts: AlertContract[] = [];
  spec.alerts.mustFire.forEach((must, i) => {
    const rule = known.get(must.alert);
    const fault = faults.find((f) => f.name === must.fault);
    if (!rule) complain(['alerts', 'mustFire', i, 'alert'], unknownAlert(must.alert, known));
    if (!fault && spec.faults.every((f) => f.name !== must.fault))
      complain(['alerts', 'mustFire', i, 'fault'], `the scenario has no fault "${must.fault}"`);
    if (rule && fault)
      refuseUndetectable(rule, fault, must.within / timeScale, i, { ...catalog, timeScale }, complain);
    const end = phases.at(-1)?.endMs ?? 0;
    if (fault && end - fault.revertMs < must.clearsWithin / timeScale) {
      complain(
        ['alerts', 'mustFire', i, 'clearsWithin'],
        `only ${seconds(end - fault.revertMs)} remain after the revert: expected at least the ${seconds(must.clearsWithin / timeScale)} that the alert may take to clear`,
      );
    }
    contracts.push({
      alert: must.alert,
      labels: must.labels,
      expect: 'must-fire',
      fault: must.fault,
      withinMs: must.within / timeScale,
      clearsWithinMs: must.clearsWithin / timeScale,
    });
  });
  for (const list of ['mayFire', 'falseAlarms'] as const)
    spec.alerts[list].forEach((alert, i) => {
      if (!known.has(alert)) complain(['alerts', list, i], unknownAlert(alert, known));
      if (contracts.some((c) => c.alert === alert))
        complain(['alerts', list, i], `"${alert}" is named twice: expected it in one list, once`);
      contracts.push({
        ...{ alert, labels: {}, expect: 'may-fire' },
        ...(list === 'falseAlarms' ? { anytime: true } : {}),
      });
    });
  return contracts;
}

function unknownAlert(alert: string, known: ReadonlyMap<string, unknown>): string {
  return `no rule file has an alert "${alert}": expected one of ${[...known.keys()].join(', ')}`;
}

/**
 * A fault is refused that may end before its alert can fire, not hoped to be long enough: what it needs is as late as a scrape and an
 * evaluation may make it (ANCHORS.md, "Alert delay"). What can fire is not refused: of the rule's range only what must lie in the fault
 * counts (`fillMs`), and the rest may still hold the condition for a part of `for` when the fault is over.
 */
function refuseUndetectable(
  rule: PlannedRule,
  fault: PlannedFault,
  withinMs: number,
  index: number,
  rhythm: { scrapeMs: number; evaluationMs: number; timeScale: number },
  complain: Complain,
): void {
  const { fillMs = 0, forMs, rangeMs } = rule;
  const needed = detectionBudgetMs(rule, rhythm);
  const parts = `${fillMs > 0 ? `${seconds(fillMs)} of its range + ` : ''}for + scrape + evaluation`;
  const held = Math.min(forMs, rangeMs - fillMs);
  const least = needed - held;
  const span = fault.revertMs - fault.injectMs;
  if (span < least)
    complain(
      ['alerts', 'mustFire', index],
      `fault "${fault.name}" lasts ${seconds(span)}, but ${rule.alert} needs ${parts}${held > 0 ? ` - ${seconds(held)} in which its range may still hold` : ''} = ${seconds(least)}: expected a longer fault`,
    );
  if (withinMs + SLACK_MS < needed)
    complain(
      ['alerts', 'mustFire', index, 'within'],
      `${seconds(withinMs)} is less than ${parts} = ${seconds(needed)}: no alert can be that fast`,
    );
}

function refuseBlindRules(
  alerts: AlertContract[],
  catalog: Catalog,
  timeScale: number,
  complain: Complain,
): void {
  const rhythm = { scrapeMs: catalog.scrapeMs, timeScale };
  for (const rule of catalog.rules) {
    const contract = alerts.findIndex((a) => a.alert === rule.alert && a.expect === 'must-fire');
    if (contract >= 0 && isBlind(rule, rhythm)) {
      complain(
        ['alerts', 'mustFire', contract],
        `the range of ${rule.alert} is ${seconds(rule.shortestRangeMs)} at this time scale, under ${MIN_SCRAPES_PER_WINDOW} scrapes of ${seconds(scrapedEveryMs(rule, rhythm))}: expected a smaller --time-scale`,
      );
    }
  }
}

function planRecovery(
  spec: Spec,
  streams: Stream[],
  faults: PlannedFault[],
  phases: Phase[],
  timeScale: number,
  complain: Complain,
): RecoveryContract[] {
  const end = phases.at(-1)?.endMs ?? 0;
  return spec.recovery.map((recovery, i) => {
    const stream = streams.find((s) => s.name === recovery.stream);
    const fault = faults.find((f) => f.name === recovery.fault);
    if (!stream) complain(['recovery', i, 'stream'], `the scenario has no load "${recovery.stream}"`);
    if (recovery.measure === 'processed' && stream && !stream.ledger)
      complain(
        ['recovery', i, 'measure'],
        `requests of "${recovery.stream}" are answered, nothing is processed later: expected answered`,
      );
    if (!fault && spec.faults.every((f) => f.name !== recovery.fault))
      complain(['recovery', i, 'fault'], `the scenario has no fault "${recovery.fault}"`);
    const windowMs = recovery.window / timeScale;
    const remains = recovery.from === 'revert' ? end - (fault?.revertMs ?? 0) : faultLength(fault);
    if (fault && remains < recovery.windows * windowMs)
      complain(
        ['recovery', i],
        `only ${seconds(remains)} remain after the ${recovery.from}: expected at least ${recovery.windows} windows of ${seconds(windowMs)}`,
      );
    if (stream && fault) refuseEmptyWindows(recovery, i, stream, fault, timeScale, complain);
    return {
      name: recovery.name,
      fault: recovery.fault,
      total: {
        table: recovery.measure === 'processed' ? 'ledger' : 'requests',
        where: `stream = '${recovery.stream}'`,
      },
      // An event that ended in an error was processed, but nobody is served by that.
      good: recovery.measure === 'processed' ? "processed > 0 AND result NOT IN ('failed', 'error')" : 'ok',
      target: recovery.target,
      windowMs,
      windows: recovery.windows,
      from: recovery.from,
      rtoMs: recovery.rto / timeScale,
    };
  });
}

/**
 * A window without a request is no good one (slo/judge/recovery.ts), whatever the platform does: refused are those shorter than the time
 * between two requests, the later one as late as the judge lets it be (slo/judge/load.ts). Windows count until the last that a recovery in
 * time may need; those from the injection, until the revert.
 */
function refuseEmptyWindows(
  { from, rto, window, windows }: Spec['recovery'][number],
  index: number,
  stream: Stream,
  fault: PlannedFault,
  timeScale: number,
  complain: Complain,
): void {
  const windowMs = window / timeScale;
  const startMs = from === 'revert' ? fault.revertMs : fault.injectMs;
  const endMs = from === 'revert' ? startMs + rto / timeScale + windows * windowMs : fault.revertMs;
  const sparse = stream.segments.find((segment) => {
    const period = 1000 / segment.rate;
    const isAsked = segment.endMs > startMs && segment.startMs < endMs;
    return isAsked && windowMs < period + Math.max(MAX_LATENESS_MS, 0.05 * period);
  });
  if (!sparse) return;
  const { rate, phase } = sparse;
  const sends =
    rate > 0
      ? `sends one request each ${seconds(1000 / rate)} in ${phase}: expected a window of ${seconds((2000 / rate) * timeScale)} in the scenario, or`
      : `sends nothing in ${phase}: expected`;
  complain(
    ['recovery', index, 'window'],
    `windows of ${seconds(windowMs)} at this time scale may be empty: "${stream.name}" ${sends} ${Number((2000 / windowMs).toPrecision(2))}/s there`,
  );
}

const faultLength = (fault: PlannedFault | undefined) => (fault ? fault.revertMs - fault.injectMs : 0);

function seconds(ms: number): string {
  return formatDuration(ms);
}
