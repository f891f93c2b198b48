/** Speaks to a platform by its LambdaFunctions: made through the Kubernetes API, called through the ingress, heard of by their status. */
import { request } from 'node:http';
import { HarnessError } from '../../../base/errors.ts';
import type { Front, WantedFunction } from '../../front.ts';
import type { ByObjects } from '../../profile.ts';
import { EVENT_ID, LAMBDA, openObjectTap } from './object-tap.ts';

export interface ObjectWays {
  kubeconfig: string;
  /** The Kubernetes API without credentials, by a proxy of this host that has them. */
  api: string;
  /** `http://host:port` of the ingress. */
  ingress: string;
  /** Hosts of functions are `<function>.<namespace>.<domain>`. */
  domain: string;
}

const CALL_WITHIN_MS = 30_000;
const ASK_WITHIN_MS = 5000;
const MADE_WITHIN_MS = 15_000;

export function objectFront(speaks: ByObjects, ways: ObjectWays): Front {
  const objects = `${ways.api}/apis/${LAMBDA.group}/${LAMBDA.version}/namespaces/${speaks.namespace}/${LAMBDA.plural}`;
  const domain = `.${speaks.namespace}.${ways.domain}`;
  return {
    load: {
      OBJECTS_URL: objects,
      BUILD_OBJECT: JSON.stringify(lambdaFunction(speaks, { name: '{{name}}' }, '{{id}}')),
      INGRESS_URL: ways.ingress,
      INGRESS_DOMAIN: domain,
    },
    async deploy(wanted) {
      const response = await fetch(objects, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(lambdaFunction(speaks, wanted)),
        signal: AbortSignal.timeout(MADE_WITHIN_MS),
      }).catch((cause: Error) => {
        throw new HarnessError(`making LambdaFunction ${wanted.name}: no answer: ${cause.message}`, {
          cause,
        });
      });
      const text = await response.text();
      if (response.status !== 201)
        throw new HarnessError(
          `making LambdaFunction ${wanted.name}: the API server answered ${response.status}: ${text.slice(0, 300)}`,
        );
    },
    async phase(name) {
      const signal = AbortSignal.timeout(ASK_WITHIN_MS);
      const response = await fetch(`${objects}/${name}`, { signal }).catch(() => undefined);
      if (!response?.ok) return `not there (${response?.status ?? 'no answer'})`;
      const body = (await response.json()) as { status?: { phase?: string } };
      return body.status?.phase || 'without a phase';
    },
    call: (name, id) => call(ways.ingress, name, name + domain, id),
    tap: () => openObjectTap(ways.kubeconfig, speaks.namespace),
  };
}

/** @param id of the event that asks for it; without one nobody waits for its result */
export function lambdaFunction(
  speaks: ByObjects,
  wanted: Pick<WantedFunction, 'name'> & Partial<WantedFunction>,
  id?: string,
): object {
  const { min, max, concurrency } = speaks.scaling;
  const text = JSON.stringify(speaks.function).replaceAll('{{name}}', wanted.name);
  const spec = JSON.parse(text.replaceAll('{{id}}', id ?? '')) as object;
  return {
    apiVersion: `${LAMBDA.group}/${LAMBDA.version}`,
    kind: LAMBDA.kind,
    metadata: {
      name: wanted.name,
      namespace: speaks.namespace,
      ...(speaks.finalizers.length > 0 ? { finalizers: speaks.finalizers } : {}),
      ...(id === undefined ? {} : { annotations: { [EVENT_ID]: id } }),
    },
    spec: {
      ...spec,
      scaling: {
        [min]: wanted.minScale ?? 0,
        [max]: wanted.maxScale ?? 1,
        [concurrency]: wanted.targetConcurrency ?? 10,
      },
    },
  };
}

/** fetch() does not let its caller name the host. */
function call(ingress: string, name: string, host: string, id: string): ReturnType<Front['call']> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...{ host, 'content-type': 'application/json' },
      ...{ 'ce-specversion': '1.0', 'ce-id': id, 'ce-source': 'faultline', 'ce-subject': name },
      'ce-type': 'io.knative.lambda.invoke.sync',
    };
    const asked = request(
      ingress,
      { method: 'POST', headers, agent: false, timeout: CALL_WITHIN_MS },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    asked.once('timeout', () =>
      asked.destroy(new HarnessError(`function ${name} gave no answer in ${CALL_WITHIN_MS / 1000} s`)),
    );
    asked.once('error', reject);
    asked.end('{}');
  });
}
