/**
 * The init container of a build on a cluster: fetches the source from the object store, checks it, and writes the build's
 * context. Environment: BUILD (ContextSpec as JSON), S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY. When it fails, its
 * last word (/dev/termination-log) is {reason, message} as JSON.
 */
import { writeFileSync } from 'node:fs';
import { CODE_PATH } from './oci-image.ts';
import type { ContextSpec } from './run-kaniko.ts';
import { checkSource, endOf, fetchSource } from './source.ts';

const CONTEXT = '/context';
const spec = JSON.parse(process.env.BUILD ?? '') as ContextSpec;
const store = {
  endpoint: process.env.S3_ENDPOINT || undefined,
  accessKey: process.env.S3_ACCESS_KEY,
  secretKey: process.env.S3_SECRET_KEY,
  bucket: process.env.S3_BUCKET ?? '',
};

try {
  const policy = {
    ...spec,
    giveUpOn429: false,
    onRetry: (retry: object) => console.log(JSON.stringify({ message: 'object store retry', ...retry })),
  };
  const code = await fetchSource(spec.source, store, policy);
  checkSource(code);
  writeFileSync(`${CONTEXT}/index.mjs`, code);
  writeFileSync(
    `${CONTEXT}/Dockerfile`,
    `FROM ${spec.functionBase}
COPY index.mjs /${CODE_PATH}
ENV LAMBDA_CODE=/${CODE_PATH} LAMBDA_FUNCTION=${spec.name} LAMBDA_HANDLER=${spec.handler}
LABEL lambda.knative.io/name=${spec.name} lambda.knative.io/handler=${spec.handler}
`,
  );
} catch (error) {
  const { message } = error as Error;
  console.error(message);
  const end = endOf(error);
  if (end) writeFileSync('/dev/termination-log', JSON.stringify({ reason: end.reason, message }));
  process.exit(1);
}
