/** Speaks to a platform with a command receiver: CloudEvents in, lifecycle events out through RabbitMQ, calls through a gateway. */
import { HarnessError } from '../base/errors.ts';
import { openBrokerTap } from './broker-tap.ts';
import type { Front } from './front.ts';

/** What every deployed function does: answers with the event's id, works for `workMs`, fails when it is asked to. */
const FUNCTION_CODE = `export async function handler(event) {
  const data = event.data ?? {};
  if (data.workMs) await new Promise((resolve) => setTimeout(resolve, data.workMs));
  if (data.fail) throw new Error('asked to fail');
  return { id: event.id };
}
`;

const TAKEN_WITHIN_MS = 10_000;

/** Base URLs; `broker` by the harness's own way in, which faults on the platform's way do not touch. */
export interface CommandEndpoints {
  /** CloudEvents go to `${receiver}/events`. */
  receiver: string;
  /** Invocations go to `${gateway}/fn/<name>`. */
  gateway: string;
  operator: string;
  broker: string;
}

/** @param queue of the harness's own tap: `quorum` where the broker has several nodes */
export function commandFront(endpoints: CommandEndpoints, queue: 'classic' | 'quorum'): Front {
  return {
    load: { RECEIVER_URL: endpoints.receiver, GATEWAY_URL: endpoints.gateway },
    async deploy({ name, minScale, maxScale, targetConcurrency }, runId) {
      await postCommand(endpoints.receiver, runId, name, {
        name,
        runtime: { language: 'nodejs', version: '20', handler: 'handler' },
        source: { type: 'inline', code: FUNCTION_CODE },
        scaling: { minScale, maxScale, targetConcurrency },
      });
    },
    async phase(name) {
      const response = await fetch(`${endpoints.operator}/functions/${name}`, {
        signal: AbortSignal.timeout(2000),
      }).catch(() => undefined);
      const body = response?.ok ? ((await response.json()) as { phase?: string }) : undefined;
      return body?.phase ?? 'not there';
    },
    async call(name, id) {
      const response = await fetch(`${endpoints.gateway}/fn/${name}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'ce-specversion': '1.0',
          'ce-id': id,
          'ce-type': 'dev.faultline.warm',
          'ce-source': 'faultline',
        },
        body: '{}',
        signal: AbortSignal.timeout(30_000),
      });
      return { status: response.status, text: await response.text() };
    },
    tap: () => openBrokerTap(endpoints.broker, queue),
  };
}

async function postCommand(receiver: string, runId: string, name: string, data: unknown): Promise<void> {
  const deadline = Date.now() + TAKEN_WITHIN_MS;
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
      throw new HarnessError(
        `deploying ${name}: the platform did not take the command within ${TAKEN_WITHIN_MS / 1000} s`,
      );
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
