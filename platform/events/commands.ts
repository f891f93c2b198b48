/** The commands that the platform takes, and the schema of each command's data. */
import { z } from 'zod';

const PREFIX = 'io.knative.lambda.command.';

/** As a Knative Service's name: a DNS label. */
export const FunctionName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected a DNS label of at most 63 characters');

export const Source = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('inline'), code: z.string().min(1) }),
  z.strictObject({
    type: z.enum(['s3', 'minio']),
    /** Default: the builder's S3_BUCKET. */
    bucket: z.string().min(1).optional(),
    key: z.string().min(1),
  }),
]);
export type Source = z.infer<typeof Source>;

export const Runtime = z.strictObject({
  language: z.literal('nodejs'),
  version: z.string().min(1).default('24'),
  /** Name of the export that is called. */
  handler: z
    .string()
    .regex(/^[A-Za-z_$][\w$]*$/, 'expected the name of an export')
    .default('handler'),
});
export type Runtime = z.infer<typeof Runtime>;

export const Scaling = z
  .strictObject({
    minScale: z.number().int().min(0),
    maxScale: z.number().int().min(1),
    targetConcurrency: z.number().int().min(1),
  })
  .partial();
export type Scaling = z.infer<typeof Scaling>;

const runtime = Runtime.prefault({ language: 'nodejs' });
const env = z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string());

export const DeployData = z.strictObject({
  name: FunctionName,
  runtime,
  source: Source,
  scaling: Scaling.default({}),
  env: env.default({}),
});
export type DeployData = z.infer<typeof DeployData>;

/** service.update: only what is named changes; a new source or runtime is built, the rest takes effect without a build. */
export const UpdateData = z.strictObject({
  name: FunctionName,
  runtime: Runtime.optional(),
  source: Source.optional(),
  scaling: Scaling.optional(),
  env: env.optional(),
});
export type UpdateData = z.infer<typeof UpdateData>;

/** function.rollback: to the revision before, or to the one with that digest. */
export const RollbackData = z.strictObject({
  name: FunctionName,
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional(),
});
export const DeleteData = z.strictObject({ name: FunctionName });

/** build.start and build.retry; a retry carries the whole source again, for the builder keeps none. */
export const BuildData = z.strictObject({ name: FunctionName, source: Source, runtime });
export type BuildData = z.infer<typeof BuildData>;

/** build.cancel: every build of that function, or only the one that the command `buildId` asked for. */
export const CancelData = z.strictObject({ name: FunctionName, buildId: z.string().min(1).optional() });

export const COMMAND = {
  deploy: `${PREFIX}function.deploy`,
  rollback: `${PREFIX}function.rollback`,
  create: `${PREFIX}service.create`,
  update: `${PREFIX}service.update`,
  delete: `${PREFIX}service.delete`,
  buildStart: `${PREFIX}build.start`,
  buildRetry: `${PREFIX}build.retry`,
  buildCancel: `${PREFIX}build.cancel`,
} as const;

export const COMMAND_DATA: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [COMMAND.deploy, DeployData],
  [COMMAND.rollback, RollbackData],
  [COMMAND.create, DeployData],
  [COMMAND.update, UpdateData],
  [COMMAND.delete, DeleteData],
  [COMMAND.buildStart, BuildData],
  [COMMAND.buildRetry, BuildData],
  [COMMAND.buildCancel, CancelData],
]);

export function isCommandType(type: string): boolean {
  return type.startsWith(PREFIX);
}
export type CancelData = z.infer<typeof CancelData>;
export type RollbackData = z.infer<typeof RollbackData>;
