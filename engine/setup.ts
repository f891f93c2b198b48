/** Deploys the scenario's functions through the platform's own front door, and waits until they really answer. */
import { HarnessError } from '../base/errors.ts';
import { PARSER_SOURCE } from '../base/parser-object.ts';
import type { ObjectDriver } from '../chaos/drivers.ts';
import type { Stream } from '../evidence/plan.ts';
import type { Scenario } from '../scenarios/schema.ts';
import type { Front } from '../targets/front.ts';
import type { Target } from '../targets/target.ts';

/** @throws HarnessError naming the functions that did not become Ready; the reason of `signal` when it is aborted */
export async function deployFunctions(
  functions: Scenario['spec']['functions'],
  front: Front,
  runId: string,
  patience: Pick<Target['patience'], 'functionsMs' | 'functionsAtOnce'>,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = functions.flatMap(({ prefix, count, warm, ...scaling }) =>
    Array.from({ length: count }, (_, i) => ({ name: `${prefix}-${i}`, warm, ...scaling })),
  );
  const batches = <T>(list: T[]): T[][] =>
    Array.from({ length: Math.ceil(list.length / patience.functionsAtOnce) }, (_, i) =>
      list.slice(i * patience.functionsAtOnce, (i + 1) * patience.functionsAtOnce),
    );
  for (const batch of batches(wanted)) {
    for (const one of batch) await front.deploy(one, runId);
    await waitUntilReady(
      batch.map(({ name }) => name),
      front,
      patience.functionsMs,
      signal,
    );
  }
  // Those that were Ready first may be at zero again: all at once would be a storm of cold starts before the run.
  for (const batch of batches(wanted.filter(({ warm }) => warm)))
    await Promise.all(
      batch.map(({ name }) =>
        warmUp(front, name, `${runId}.warm.${name}`, Date.now() + patience.functionsMs, signal),
      ),
    );
  return wanted.map(({ name }) => name);
}

/** Puts the objects into the store that streams of builds have as their source. @throws HarnessError when it does not take them */
export async function placeSources(streams: Stream[], objects: ObjectDriver | undefined): Promise<void> {
  const keys = new Set(
    streams.flatMap(({ script, params }) => (script === 'builds' ? (params.source ?? []) : [])),
  );
  for (const key of keys) {
    if (objects === undefined) throw new HarnessError(`no object store for ${key}: the planner let it pass`);
    await objects.put(String(key), PARSER_SOURCE);
  }
}

async function waitUntilReady(
  names: string[],
  front: Front,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  let waiting = names.map((name) => ({ name, phase: 'not there' }));
  while (waiting.length > 0) {
    signal.throwIfAborted();
    const checked = await Promise.all(
      waiting.map(async ({ name }) => ({ name, phase: await front.phase(name) })),
    );
    const failed = checked.filter((f) => f.phase === 'Failed');
    if (failed.length > 0)
      throw new HarnessError(
        `functions failed to deploy before the run began: ${failed.map((f) => f.name).join(', ')}; see the logs of the bundle`,
      );
    waiting = checked.filter((f) => f.phase !== 'Ready');
    if (waiting.length > 0 && Date.now() > deadline)
      throw new HarnessError(
        `functions not Ready after ${withinMs / 1000} s: ${waiting.map((f) => `${f.name} (${f.phase})`).join(', ')}`,
      );
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Until it answers: what a machine that is still busy with the deployment gives up on, or cuts off, is no finding. */
async function warmUp(
  front: Front,
  name: string,
  id: string,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { status, said } = await front.call(name, id).then(
      ({ status, text }) => ({ status, said: `answers ${status} when it is called: ${text.slice(0, 300)}` }),
      (error: Error) => ({ status: 0, said: `gives no answer when it is called: ${reasonOf(error)}` }),
    );
    if (status === 200) return;
    if (Date.now() > deadline || (status > 0 && status < 500))
      throw new HarnessError(`function ${name} is Ready, but ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** fetch() itself says no more than that it failed. */
const reasonOf = ({ cause, message }: Error) => (cause instanceof Error && cause.message) || message;
