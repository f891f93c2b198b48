/**
 * How fast, and at how much of its load, each scenario runs on target `kind`: what two cores can do (measured, docs/kind.md).
 * TIME_SCALE and LOAD_SCALE in the environment say otherwise.
 */
import { RefusedError } from '../base/errors.ts';
import { loadScale, timeScaleProblems } from '../cli/scales.ts';
import { shippedScenarios } from '../engine/catalog.ts';
import { loadScenarios } from '../scenarios/load.ts';

const TIME_SCALE = Number(process.env.TIME_SCALE || '10');
const DEFECT = process.env.DEFECT ?? '';
const LOAD_SCALE = process.env.LOAD_SCALE?.split(/\s+/).filter(Boolean) ?? [];

interface Pace {
  timeScale: number;
  /** Values of `--load-scale`. */
  loadScale: string[];
}

/** Those of scenarios/cluster/ were written for a cluster, with the load of a small one. */
const CLUSTER: Pace = { timeScale: TIME_SCALE, loadScale: [] };
/** Those of scenarios/ were written for the processes of target `local`: a build there costs a hundredth of a pod. */
const SPINE: Pace = {
  timeScale: TIME_SCALE,
  loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['builds=0.035', '0.2'],
};
/**
 * Must build what waits, and what comes, in the time that the recovery may take: two cores can only do that with half as many builds.
 * Those in their work when the network goes wait until it is back; a build takes as long as ever, however fast the phases go, so only in
 * this time do they stay fewer than the one in twenty that may take long.
 */
const BACKLOG: Pace = {
  timeScale: Math.min(2, TIME_SCALE),
  loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['builds=0.021', '0.2'],
};

/** Twenty builds in each phase that is judged by itself: twice the spine's, and twice as long. An update is a revision, with pods of its own. */
const CONTROL: Pace = {
  timeScale: Math.min(5, TIME_SCALE),
  loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['builds=0.06', 'updates=0.02', '0.2'],
};
/** Likewise, in phases that are half as long. */
const THROTTLED: Pace = {
  timeScale: Math.min(3, TIME_SCALE),
  loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['builds=0.045'],
};

/** So many builds that more than a hundred wait: fewer make no RabbitMQQueueBacklog. */
const HUNDRED: Pace = { ...BACKLOG, loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['builds=0.032'] };

/** Of these builds most find no source and cost little; BuildFailureRateHigh wants ten of them in its window. */
const CHEAP: Pace = { timeScale: TIME_SCALE, loadScale: LOAD_SCALE.length > 0 ? LOAD_SCALE : ['0.1'] };

/** By scenario, in the order of `make e2e`. */
export const PACES: ReadonlyMap<string, Pace> = new Map([
  ['invocations-steady', SPINE],
  ['scale-to-zero-burst', SPINE],
  ['steady-control', CONTROL],
  ['builds-rabbitmq-partition', BACKLOG],
  ['builds-builder-killed', HUNDRED],
  ['builds-registry-throttled', THROTTLED],
  ['builds-parser-missing', CHEAP],
  ['kaniko-killed', CLUSTER],
  ['dr-builder-oom', CLUSTER],
  ['split-brain', CLUSTER],
  ['scale-from-zero-under-partition', CLUSTER],
  ['dr-node-lost', CLUSTER],
  ['kaniko-throttled', CLUSTER],
  ['cold-start-storm', CLUSTER],
]);

/**
 * More than two cores can do: six and 25 functions from zero at once, and builds that are begun again and again. And what must run in half of
 * real time: twenty minutes; that the broker is cut off, another scenario shows in three.
 */
const ONLY_WHEN_ASKED = [
  'scale-to-zero-burst',
  'cold-start-storm',
  'kaniko-throttled',
  'builds-rabbitmq-partition',
  'steady-control',
  'builds-builder-killed',
  'builds-registry-throttled',
];

export interface Choice {
  chosen: string[];
  /** What nobody asked for, and the default does not have. */
  leftOut: string[];
  /** What was asked for, and there is not. */
  unknown: string[];
}

/** @param asked names with white space between them; `all`; empty: the default */
export function choose(asked: string): Choice {
  const names = asked.split(/\s+/).filter(Boolean);
  const all = [...PACES.keys()];
  if (names.includes('all')) return { chosen: all, leftOut: [], unknown: [] };
  if (names.length > 0)
    return {
      chosen: all.filter((name) => names.includes(name)),
      leftOut: [],
      unknown: names.filter((name) => !PACES.has(name)),
    };
  const chosen = all.filter((name) => !ONLY_WHEN_ASKED.includes(name));
  return { chosen, leftOut: ONLY_WHEN_ASKED, unknown: [] };
}

/** Each pace is a command of its own. */
function groupsOf(chosen: readonly string[]): { pace: Pace; names: string[] }[] {
  return [...new Set(PACES.values())]
    .map((pace) => ({ pace, names: chosen.filter((name) => PACES.get(name) === pace) }))
    .filter(({ names }) => names.length > 0);
}

/** Arguments of `faultline run`, once for each pace. */
export function runsOf(chosen: readonly string[]): string[][] {
  return groupsOf(chosen).map(({ pace, names }) => [...names, ...optionsOf(pace)]);
}

/** By the rules of `faultline run`, which would ask only when there is a cluster. @throws RefusedError when TIME_SCALE or LOAD_SCALE will not do */
export function checkScales(chosen: readonly string[]): void {
  const problems = timeScaleProblems('TIME_SCALE', TIME_SCALE, process.env.TIME_SCALE);
  if (problems.length > 0) throw new RefusedError(problems);
  const shipped = new Map([...shippedScenarios(), ...shippedScenarios('cluster')]);
  for (const { pace, names } of groupsOf(chosen))
    loadScale('LOAD_SCALE', pace.loadScale, loadScenarios(names.map((name) => shipped.get(name) ?? name)));
}

/** Exit code of what Ctrl-C ended. */
export const INTERRUPTED = 130;

/** Exit codes of `faultline run`, the worst first. Source: DESIGN.md, "Four verdicts": an error outranks a failure, and that one `unknown`. */
const WORST_FIRST = [INTERRUPTED, 64, 3, 1, 2, 0];

/** One exit code for several commands; one that nobody knows outranks all, and of none it is an error: nothing was run. */
export const worstOf = (codes: readonly number[]): number =>
  codes.find((code) => !WORST_FIRST.includes(code)) ?? WORST_FIRST.find((code) => codes.includes(code)) ?? 3;

export function optionsOf({ timeScale, loadScale }: Pace): string[] {
  return [
    ...['--target', 'kind', '--time-scale', String(timeScale)],
    ...loadScale.flatMap((factor) => ['--load-scale', factor]),
    ...(DEFECT === '' ? [] : ['--defect', DEFECT]),
  ];
}
