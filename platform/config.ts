/**
 * The environment of the platform's components, with its schema. All times are milliseconds unless the name says
 * otherwise. An invalid environment ends the component with every problem at once (exit code 78, as `EX_CONFIG`).
 */
import { z } from 'zod';

export const DEFECTS = [
  'ack-before-build',
  'no-registry-retry',
  'forgets-scale-to-zero',
  'metrics-lie',
  'receiver-accepts-without-confirm',
  'slow-recovery',
] as const;
/** A known defect that can be switched on, so that a test harness can be checked against it. */
export type Defect = (typeof DEFECTS)[number];

const int = (min: number, max = 2 ** 31 - 1) => z.coerce.number().int().min(min).max(max);
const url = (protocols: RegExp) =>
  z.url({ protocol: protocols }).transform((text) => text.replace(/\/+$/, ''));
const http = url(/^https?$/);
/** An unset variable and an empty one are the same. */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const Common = z.object({
  PORT: int(0, 65_535).default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  AMQP_URL: url(/^amqps?$/),
  AMQP_HEARTBEAT_S: int(1, 3600).default(2),
  AMQP_CONNECT_TIMEOUT_MS: int(50).default(1500),
  CONFIRM_TIMEOUT_MS: int(50).default(2000),
  QUEUE_TYPE: z.enum(['classic', 'quorum']).default('classic'),
  /** Where spans are sent to, OTLP over HTTP; without it none are. */
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(http),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected a DNS label')
    .default('knative-lambda'),
  DEFECTS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    )
    .pipe(z.array(z.enum(DEFECTS)))
    .transform((names): ReadonlySet<Defect> => new Set(names)),
});

const Receiver = Common.extend({
  RATE_LIMIT: z.coerce.number().positive().default(50),
  RATE_BURST: int(1).default(100),
});

const Builder = Common.extend({
  REGISTRY_URL: http,
  JOB_LIMIT: int(1, 1000).default(50),
  S3_ENDPOINT: optional(http),
  S3_ACCESS_KEY: optional(z.string()),
  S3_SECRET_KEY: optional(z.string()),
  S3_BUCKET: z.string().min(1).default('lambda-functions'),
  BUILD_MAX_ATTEMPTS: int(1, 100).default(5),
  BACKOFF_BASE_MS: int(1).default(1000),
  BACKOFF_MAX_MS: int(1).default(30_000),
  BUILD_DEADLINE_MS: int(100).default(600_000),
  SLOW_RECOVERY_MS: int(0).default(30_000),
  /** Builds as processes of this host, or as Kaniko Jobs on the cluster that the builder runs on. */
  JOBS: z.enum(['process', 'kaniko']).default('process'),
  KANIKO_IMAGE: z.string().default(''),
  FUNCTION_BASE_IMAGE: z.string().default(''),
  /** This image: the Jobs' init container runs from it. */
  PLATFORM_IMAGE: z.string().default(''),
  /** Name of the Secret with the object store's keys, `access` and `secret`. */
  S3_SECRET_NAME: z.string().default('object-store'),
});

const Gateway = Common.extend({
  REGISTRY_URL: http,
  OPERATOR_URL: http,
  IDLE_MS: int(100).default(90_000),
  SCALE_INTERVAL_MS: int(20).default(2000),
  MAX_SCALE: int(1, 1000).default(50),
  TARGET_CONCURRENCY: int(1).default(10),
  COLD_START_TIMEOUT_MS: int(100).default(10_000),
  WORK_DIR: z.string().min(1),
  /** Functions as processes of this host, or as Knative Services on the cluster that the gateway runs on. */
  FUNCTIONS: z.enum(['process', 'knative']).default('process'),
});

const Operator = Common.extend({
  GATEWAY_URL: optional(http),
  /** LambdaFunctions in a file (STATE_FILE), rolled out by the gateway; or as objects of the cluster, rolled out as Knative Services. */
  FUNCTIONS: z.enum(['process', 'knative']).default('process'),
  STATE_FILE: z.string().min(1),
  /** What the nodes pull images from: `host:port`; the registry that builds push to may have another name there. */
  PULL_REGISTRY: z.string().default(''),
  /** Knative's stable window; it takes no less than 6 s. */
  STABLE_WINDOW_MS: int(6000).default(60_000),
  MAX_SCALE: int(1, 1000).default(50),
  TARGET_CONCURRENCY: int(1).default(10),
});

const SCHEMAS = { receiver: Receiver, builder: Builder, gateway: Gateway, operator: Operator } as const;
export type Component = keyof typeof SCHEMAS;
export type CommonConfig = z.infer<typeof Common>;
export type Config<C extends Component> = z.infer<(typeof SCHEMAS)[C]>;

/** The environment cannot be used; the message names every variable that is wrong. */
export class ConfigError extends Error {}

/** Reads a component's configuration. Throws ConfigError with all problems. */
export function loadConfig<C extends Component>(component: C, env: NodeJS.ProcessEnv): Config<C> {
  const result = SCHEMAS[component].safeParse(env);
  if (result.success) return result.data as Config<C>;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigError(`${component}: environment refused: ${problems.join('; ')}`);
}
