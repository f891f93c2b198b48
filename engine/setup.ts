/** Deploys the scenario's functions through the platform's own front door, and waits until they really answer. */
import { HarnessError } from '../base/errors.ts';
import type { Scenario } from '../scenarios/schema.ts';
import type { Endpoints, Target } from '../targets/target.ts';

/** What every deployed function does: answers with the event's id, works for `workMs`, fails when it is asked to. */
const FUNCTION_CODE = `export async function handler(event) {
  const data = event.data ?? {};
  if (data.workMs) await new Promise((resolve) => setTimeout(resolve, data.workMs));
  if (data.fail) throw new Error('asked to fail');
  return { id: event.id };
}
`;

/** @throws HarnessError naming the functions that did not become Ready; the reason of `signal` when it is aborted */
export async function deployFunctions(
  functions: Scenario['spec']['functions'],
  endpoints: Endpoints,
  runId: string,
  patience: Pick<Target['patience'], 'functionsMs' | 'functionsAtOnce'>,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = functions.flatMap((group) =>
    Array.from({ length: group.count }, (_, i) => ({ name: `${group.prefix}-${i}`, group })),
  );
  for (let next = 0; next < wanted.length; next += patience.functionsAtOnce) {
    const batch = wanted.slice(next, next + patience.functionsAtOnce);
    for (const { name, group } of batch)
      await postCommand(endpoints.receiver, runId, name, {
        name,
        runtime: { language: 'nodejs', version: '20', handler: 'handler' },
        source: { type: 'inline', code: FUNCTION_CODE },
        scaling: {
          minScale: group.minScale,
          maxScale: group.maxScale,
          targetConcurrency: group.targetConcurrency,
        },
      });
    await waitUntilReady(
      batch.map(({ name }) => name),
      endpoints.operator,
      patience.functionsMs,
      signal,
    );
  }
  for (const group of functions) {
    if (!group.warm) continue;
    await Promise.all(
      Array.from({ length: group.count }, (_, i) => warm(endpoints.gateway, runId, `${group.prefix}-${i}`)),
    );
  }
  return wanted.map(({ name }) => name);
}

async function postCommand(receiver: string, runId: string, name: string, data: unknown): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const response = await fetch(`${receiver}/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'ce-specversion': '1.0',
        'ce-id': `${runId}.deploy.${name}`,
        'ce-type': 'io.knative.lambda.command.function.deploy',
        'ce-source': 'faultline',
        'ce-subject': name,
      },
      body: JSON.stringify(data),
      signal: AbortSignal.timeout(5000),
    }).catch((error: Error) => error);
    if (response instanceof Response) {
      const text = await response.text();
      if (response.status === 202) return;
      // 429 and 503 mean "later" (PLATFORM.md, "Answers"); anything else will not change.
      if (![429, 503].includes(response.status))
        throw new HarnessError(
          `deploying ${name}: the platform answered ${response.status}: ${text.slice(0, 300)}`,
        );
    }
    if (Date.now() > deadline)
      throw new HarnessError(`deploying ${name}: the platform did not take the command within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function waitUntilReady(
  names: string[],
  operator: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  let waiting = names.map((name) => ({ name, phase: 'not there' }));
  while (waiting.length > 0) {
    signal.throwIfAborted();
    const checked = await Promise.all(
      waiting.map(async ({ name }) => {
        const response = await fetch(`${operator}/functions/${name}`, {
          signal: AbortSignal.timeout(2000),
        }).catch(() => undefined);
        const body = response?.ok ? ((await response.json()) as { phase?: string }) : undefined;
        return { name, phase: body?.phase ?? 'not there' };
      }),
    );
    const failed = checked.filter((f) => f.phase === 'Failed');
    if (failed.length > 0)
      throw new HarnessError(
        `functions failed to deploy before the run began: ${failed.map((f) => f.name).join(', ')}; see logs/operator.log and logs/builder.log of the bundle`,
      );
    waiting = checked.filter((f) => f.phase !== 'Ready');
    if (waiting.length > 0 && Date.now() > deadline)
      throw new HarnessError(
        `functions not Ready after ${withinMs / 1000} s: ${waiting.map((f) => `${f.name} (${f.phase})`).join(', ')}`,
      );
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function warm(gateway: string, runId: string, name: string): Promise<void> {
  const response = await fetch(`${gateway}/fn/${name}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': `${runId}.warm.${name}`,
      'ce-type': 'dev.faultline.warm',
      'ce-source': 'faultline',
    },
    body: '{}',
    signal: AbortSignal.timeout(30_000),
  });
  if (response.status !== 200)
    throw new HarnessError(
      `function ${name} is Ready, but answered ${response.status} to its first call: ${(await response.text()).slice(0, 300)}`,
    );
}
