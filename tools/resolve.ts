import { HarnessError, RefusedError } from '../base/errors.ts';
import { aptInstall, removeLeftPolicy } from './apt.ts';
import { type Finding, findTool, findTools, type ResolvedTool, type ToolSource } from './find.ts';
import { goFetch, goInstall } from './go-install.ts';
import { lockInstall } from './install-lock.ts';
import { type Machine, thisMachine } from './machine.ts';
import { goInstallCommand, PINS, type ToolName } from './pins.ts';
import { planInstall, stateOf } from './plan-install.ts';
import { releaseInstall } from './release-install.ts';

export type { Finding, ResolvedTool, ToolName, ToolSource };

/** One step of an installation, told when it starts and when it ends. */
export interface InstallStep {
  /** What is done, as the user would type it. */
  what: string;
  state: 'started' | 'done' | 'failed' | 'waiting';
  /** How long it took, from its end on. */
  ms?: number;
}

/**
 * The tool to run, with its path and version. Installs nothing.
 *
 * @throws RefusedError when it is missing or too old, with what to do.
 */
export async function resolveTool(name: ToolName, machine: Machine = thisMachine()): Promise<ResolvedTool> {
  const finding = await findTool(name, machine);
  if (finding.tool) return finding.tool;
  throw new RefusedError([missingTool(finding)]);
}

/** {@link resolveTool} for many: all that is missing is said at once. */
export async function resolveTools<Name extends ToolName>(
  names: readonly Name[],
  machine: Machine = thisMachine(),
): Promise<Record<Name, ResolvedTool>> {
  const findings = await findTools(names, machine);
  const missing = findings.filter((finding) => finding.tool === undefined);
  if (missing.length > 0) throw new RefusedError(missing.map(missingTool));
  return Object.fromEntries(findings.map((finding) => [finding.name, finding.tool])) as Record<
    Name,
    ResolvedTool
  >;
}

function missingTool(finding: Finding) {
  const minimum = PINS[finding.name].minimum;
  const message = `${stateOf(finding)} (>= ${minimum} is needed): run \`faultline doctor --install\``;
  return { file: finding.name, message };
}

/**
 * Installs what is missing of `names` and verifies it; does nothing when all is there. One apt-get call for all packages,
 * beside the Go builds; takes away what a killed installation has left. Two installations at once do not meet: the second waits, and finds everything done.
 *
 * @param onStep told of each step
 * @param options.signal ends the steps; what they have done stays, and the next installation goes on from there
 * @throws RefusedError when something cannot be installed as this user on this machine: nothing was begun
 * @throws HarnessError when a step fails, after the other steps have ended
 */
export async function installTools(
  names: readonly ToolName[],
  onStep: (step: InstallStep) => void,
  options: { signal?: AbortSignal; machine?: Machine } = {},
): Promise<ResolvedTool[]> {
  const { signal, machine = thisMachine() } = options;
  removeLeftPolicy(machine);
  const before = await planInstall(names, machine);
  if (before.missing.length > 0) {
    const waiting = { what: 'wait for another installation to end', state: 'waiting' as const };
    const release = await lockInstall(machine, () => onStep(waiting), signal);
    try {
      // Whoever held the lock may have installed it all.
      await carryOut(await planInstall(names, machine), machine, onStep, signal);
    } finally {
      release();
    }
  }
  const findings = await findTools(names, machine);
  const wrong = findings.filter((finding) => finding.tool === undefined);
  if (wrong.length > 0)
    throw new HarnessError(
      `Installed, but not usable: ${wrong.map((finding) => `${finding.name} ${stateOf(finding)}`).join(', ')}.`,
    );
  return findings.map((finding) => finding.tool as ResolvedTool);
}

async function carryOut(
  plan: Awaited<ReturnType<typeof planInstall>>,
  machine: Machine,
  onStep: (step: InstallStep) => void,
  signal?: AbortSignal,
): Promise<void> {
  const steps: Promise<void>[] = [];
  const step = async (what: string, act: () => Promise<void>) => {
    const start = performance.now();
    onStep({ what, state: 'started' });
    let state: 'done' | 'failed' = 'failed';
    try {
      await act();
      state = 'done';
    } finally {
      onStep({ what, state, ms: performance.now() - start });
    }
  };
  if (plan.packages.length > 0) {
    const what = `${plan.updateFirst ? 'apt-get update, ' : ''}apt-get install ${plan.packages.join(' ')}`;
    const { updateFirst } = plan;
    steps.push(step(what, () => aptInstall(plan.packages, machine, { updateFirst, signal })));
  }
  // Two builds at once would compile twice what they share, much of it; so they take turns, while all modules are fetched.
  const fetched = plan.builds.map((build) => goFetch(build, machine, signal));
  let turn: Promise<unknown> = Promise.resolve();
  for (const [i, build] of plan.builds.entries()) {
    const what = goInstallCommand(build.go);
    const mine = turn.then(() =>
      step(what, async () => {
        await fetched[i];
        await goInstall(build, machine, signal);
      }),
    );
    steps.push(mine);
    turn = mine.catch(() => {});
  }
  for (const download of plan.downloads)
    steps.push(step(`download ${download.archive.url}`, () => releaseInstall(download, machine, signal)));
  const failed = (await Promise.allSettled(steps)).filter((result) => result.status === 'rejected');
  if (failed.length > 0)
    throw new HarnessError(
      [
        ...failed.map((result) => (result.reason as Error).message),
        'What went well stays: try again to go on.',
      ].join('\n'),
    );
}
