/** The platform's object store as the harness speaks to it: S3 with its own credentials, as a build does. */
import { AwsV4Signer } from 'aws4fetch';
import { HarnessError } from '../base/errors.ts';
import type { ObjectDriver } from '../chaos/drivers.ts';

export interface ObjectStoreAccess {
  /** http://host:port */
  endpoint: string;
  bucket: string;
  access: string;
  secret: string;
}

const ANSWER_WITHIN_MS = 5000;
/** As the probe's contract has it (chaos/fault.ts). */
const LOOK_WITHIN_MS = 450;

export function objectDriver({ endpoint, bucket, access, secret }: ObjectStoreAccess): ObjectDriver {
  async function ask(method: string, key: string, withinMs: number, body?: string): Promise<Response> {
    const path = [bucket, ...key.split('/')].map(encodeURIComponent).join('/');
    const signed = await new AwsV4Signer({
      ...{ method, url: `${endpoint}/${path}`, accessKeyId: access, secretAccessKey: secret },
      ...{ service: 's3', region: 'us-east-1' },
      ...(body === undefined ? {} : { body }),
    }).sign();
    const { url, headers } = signed;
    return fetch(url, {
      ...{ method, headers, signal: AbortSignal.timeout(withinMs) },
      ...(body === undefined ? {} : { body }),
    });
  }

  async function change(method: 'PUT' | 'DELETE', key: string, body?: string): Promise<void> {
    const response = await ask(method, key, ANSWER_WITHIN_MS, body);
    const text = await response.text();
    if (!response.ok)
      throw new HarnessError(
        `the object store answered ${response.status} to ${method} ${bucket}/${key}: ${text.slice(0, 300)}`,
      );
  }

  return {
    put: (key, text) => change('PUT', key, text),
    remove: (key) => change('DELETE', key),
    async status(key) {
      const response = await ask('GET', key, LOOK_WITHIN_MS);
      await response.arrayBuffer();
      return response.status;
    },
  };
}
