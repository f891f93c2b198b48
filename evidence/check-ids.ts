/**
 * Ids of checks, and which of them a plan will have. The judge gives them, a scenario's claim names them, and the planner refuses a
 * claim that names what nobody will judge: three rooms, one spelling.
 */
import type { AlertContract, Plan } from './plan.ts';

export const LEDGER_CHECKS = [
  'complete',
  'drain',
  'accepted',
  'lost',
  'failed',
  'duplicated',
  'unexpected',
  'artifacts',
] as const;

export const checkId = {
  load: (stream: string) => `load/${stream}`,
  /** Of the generator and of all streams together. */
  generator: 'load/generator',
  unplanned: 'load/unplanned',
  fault: (name: string) => `fault/${name}`,
  objective: (name: string, phase: string) => `objective/${name}/${phase}`,
  alert: ({ alert, expect, fault }: Pick<AlertContract, 'alert' | 'expect' | 'fault'>) =>
    `alert/${alert}/${expect}${fault === undefined ? '' : `/${fault}`}`,
  recovery: (name: string) => `recovery/${name}`,
  ledger: (name: (typeof LEDGER_CHECKS)[number]) => `ledger/${name}`,
  /** Of a fault while which nothing may succeed. */
  failsWith: (fault: string) => `ledger/fails-with/${fault}`,
  telemetry: (name: string) => `telemetry/${name}`,
};

/** What of a plan is judged. */
export type Judged = Pick<
  Plan,
  'streams' | 'faults' | 'objectives' | 'alerts' | 'rules' | 'recovery' | 'honesty' | 'ledger'
>;

/**
 * The ids of the checks that count which the judge will make of a plan: not those for information, nor those of the harness, which
 * say nothing of the platform.
 */
export function countedChecks(plan: Judged): string[] {
  const contracts: Pick<AlertContract, 'alert' | 'expect' | 'fault'>[] = [...plan.alerts];
  for (const { alert } of plan.rules)
    if (!contracts.some((contract) => contract.alert === alert))
      contracts.push({ alert, expect: 'must-not-fire' });
  return [
    ...plan.streams.map(({ name }) => checkId.load(name)),
    ...(plan.streams.length > 0 ? [checkId.generator, checkId.unplanned] : []),
    ...plan.faults.map(({ name }) => checkId.fault(name)),
    ...plan.objectives
      .filter(({ informational }) => !informational)
      .flatMap(({ name, phases }) => phases.map((phase) => checkId.objective(name, phase))),
    ...contracts.map(checkId.alert),
    ...plan.recovery.map(({ name }) => checkId.recovery(name)),
    ...(plan.streams.some(({ ledger }) => ledger) ? LEDGER_CHECKS.map(checkId.ledger) : []),
    ...(plan.ledger.failsWith ?? []).map(checkId.failsWith),
    ...plan.honesty.map(({ name }) => checkId.telemetry(name)),
  ];
}

/** Does a clause's name mean this check? `*` stands for any one part: `objective/build-success/*`, `alert/*\/must-not-fire`. */
export function names(pattern: string, id: string): boolean {
  const wanted = pattern.split('/');
  const parts = id.split('/');
  return wanted.length === parts.length && wanted.every((part, i) => part === '*' || part === parts[i]);
}
