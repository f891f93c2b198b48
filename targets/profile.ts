/** The platform profile: how the harness speaks to one deployment. A YAML file; every problem of it is reported at once. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { z } from 'zod';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { fieldName, readYaml, type YamlFile } from '../base/yaml-file.ts';

const SHIPPED = fileURLToPath(new URL('./profiles/', import.meta.url));

/** Kinds of load streams: the scripts of scenarios/k6. */
const STREAM_KINDS = ['builds', 'invocations', 'events'] as const;

const QueryName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, 'expected a name of lower-case letters, digits and _');
/** A way in to a component's pods: container port and path. */
const Door = z.strictObject({
  port: z.number().int().min(1).max(65_535),
  path: z.string().startsWith('/', 'expected a path that begins with /'),
});
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const KubernetesName = z.string().regex(NAME, 'expected a name of lower-case letters, digits and -');

/**
 * Commands are CloudEvents over HTTP, results come through RabbitMQ: the reference platform. Objects are LambdaFunctions that are made
 * through the Kubernetes API, results are their status; the platform is the user's own (`--platform`).
 */
const Speaks = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('commands') }),
  z.strictObject({
    by: z.literal('objects'),
    /** Where the platform and its functions live. */
    namespace: KubernetesName,
    /** Set on functions that the harness makes. */
    finalizers: z.array(z.string()).default([]),
    /**
     * `spec` of such a function, without its scaling; `{{name}}` anywhere in it is the function's name, `{{id}}` the id of the event that asks
     * for its build: with that in its code, no image of an earlier run can be taken for it.
     */
    function: z.record(z.string(), z.unknown()),
    /** Names of the fields of `spec.scaling`. */
    scaling: z.strictObject({ min: z.string(), max: z.string(), concurrency: z.string() }),
  }),
]);

/** A Deployment of the user's own platform that faults may hit, and Prometheus scrapes. */
const ComponentSpec = z.strictObject({
  deployment: KubernetesName,
  metrics: Door.extend({ job: z.string().min(1) }),
  /** Answers 200 when it serves. */
  ready: Door,
});

/** What the platform must find in its manifests or on the cluster; each is looked for before anything is applied. */
const Needs = z.strictObject({
  rights: z
    .array(
      z.strictObject({
        serviceAccount: KubernetesName,
        group: z.string(),
        resources: z.array(z.string()).min(1),
        verbs: z.array(z.string()).min(1),
        why: z.string(),
      }),
    )
    .default([]),
  environment: z
    .array(
      z.strictObject({
        deployment: KubernetesName,
        name: z.string(),
        /** Its value is an image, or a registry, which must be reachable. */
        is: z.enum(['text', 'image', 'registry']).default('text'),
        why: z.string(),
      }),
    )
    .default([]),
  /** Kinds that objects of `of` are of no use without, unless a field of theirs (dotted path) has a value. */
  kinds: z
    .array(
      z.strictObject({
        of: z.string(),
        apiVersion: z.string(),
        kind: z.string(),
        unless: z.strictObject({ field: z.string(), is: z.union([z.string(), z.boolean()]) }).optional(),
        why: z.string(),
      }),
    )
    .default([]),
});
const Core = z.strictObject({
  qps: z.string(),
  tps: z.string(),
  concurrency: z.string(),
  /** Seconds. */
  p50: z.string(),
  p95: z.string(),
  p99: z.string(),
});

const ProfileFile = z.strictObject({
  apiVersion: z.literal('faultline.dev/v1'),
  kind: z.literal('PlatformProfile'),
  metadata: z.strictObject({ name: z.string().min(1), title: z.string().min(1) }),
  spec: z.strictObject({
    speaks: Speaks,
    /** Of the user's own platform; those of the reference platform are known. */
    components: z.record(KubernetesName, ComponentSpec).default({}),
    /** Functions' own metrics, scraped in each of their pods. */
    functionMetrics: Door.extend({ job: z.string().min(1) }).optional(),
    needs: Needs.default({ rights: [], environment: [], kinds: [] }),
    /** Prometheus rule files, relative to the profile; PrometheusRules of the user's own platform come on top. */
    rules: z.array(z.string().min(1)),
    /** Alerts on the burn rate of the objectives' budgets; not for a platform that does not have their metrics. */
    burnRateAlerts: z.boolean().default(true),
    /** LogQL of the platform's logs, where a Loki has them. Source: seeds, design review, "LogQL Queries". */
    logs: z.string().min(1).default('{namespace="knative-lambda"}'),
    /** Directory of OpenSLO files, relative to the profile. */
    objectives: z.string().min(1),
    /** PromQL of the four core metrics by kind of stream, over `$window`. */
    core: z.partialRecord(z.enum(STREAM_KINDS), Core),
    /** Name -> selector of counters that are kept as scraped. */
    counters: z.record(QueryName, z.string()),
    /** Name -> PromQL of curves in the report; may use `$window`. */
    series: z.record(QueryName, z.string()),
    honesty: z.array(
      z.strictObject({
        /** Begins with the kind of stream for which it applies. */
        name: z
          .string()
          .regex(
            /^(?:builds|invocations|events)-[a-z0-9-]+$/,
            'expected a name that begins with builds-, invocations- or events-',
          ),
        /** SQL over the views of the bundle: a row for what the clients saw, `t_us` when (µs since the origin), `n` how many. */
        client: z.string().min(1),
        /** Name under `counters`. */
        counter: z.string(),
        /** The greater of the share of what the clients saw, and the number, may be between the two. */
        tolerance: z.number().min(0).max(1),
        toleranceAbs: z.number().min(0),
        /** The counter is exposed with its first event and not before, as those with labels often are: no sample is zero. */
        absentBeforeFirst: z.boolean().optional(),
      }),
    ),
  }),
});
type ProfileFile = z.infer<typeof ProfileFile>;
export type Speaks = z.infer<typeof Speaks>;
export type ByObjects = Extract<Speaks, { by: 'objects' }>;
export type ProfileNeeds = z.infer<typeof Needs>;
export type ProfileComponent = z.infer<typeof ComponentSpec>;

export interface Profile {
  name: string;
  title: string;
  file: string;
  sha256: string;
  speaks: Speaks;
  components: Record<string, ProfileComponent>;
  functionMetrics: ProfileFile['spec']['functionMetrics'];
  needs: ProfileNeeds;
  /** Absolute paths, in the order of the profile. */
  ruleFiles: string[];
  burnRateAlerts: boolean;
  /** LogQL. */
  logs: string;
  /** Absolute paths of the directory's `*.yaml`, sorted. */
  objectiveFiles: string[];
  core: Record<string, Record<string, string>>;
  counters: Record<string, string>;
  series: Record<string, string>;
  honesty: ProfileFile['spec']['honesty'];
}

/**
 * @param nameOrFile name of a shipped profile (`reference`), or the path of a file
 * @throws RefusedError with all problems: unknown field, missing file, bad PromQL, a counter that does not exist
 */
export function loadProfile(nameOrFile: string): Profile {
  const file = profileFile(nameOrFile);
  const yaml = readYaml(file, ProfileFile);
  const { metadata, spec } = yaml.value;
  const problems = [...queryProblems(file, yaml), ...honestyProblems(file, yaml)];
  const directory = dirname(file);
  const ruleFiles = spec.rules.map((path) => resolve(directory, path));
  const complain = (path: PropertyKey[], message: string) =>
    problems.push({ file, line: yaml.lineOf(path), field: fieldName(path), message });
  ruleFiles.forEach((path, i) => {
    if (!existsSync(path)) complain(['spec', 'rules', i], `no such file: ${path}`);
  });
  const objectives = resolve(directory, spec.objectives);
  const isDirectory = statSync(objectives, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const objectiveFiles = isDirectory ? yamlFiles(objectives) : [];
  if (objectiveFiles.length === 0)
    complain(['spec', 'objectives'], `expected a directory with *.yaml files: ${objectives}`);
  if (problems.length > 0) throw new RefusedError(problems);
  return {
    name: metadata.name,
    title: metadata.title,
    file,
    sha256: createHash('sha256').update(yaml.text).digest('hex'),
    speaks: spec.speaks,
    components: spec.components,
    functionMetrics: spec.functionMetrics,
    needs: spec.needs,
    ruleFiles,
    burnRateAlerts: spec.burnRateAlerts,
    logs: spec.logs,
    objectiveFiles,
    core: spec.core as Profile['core'],
    counters: spec.counters,
    series: spec.series,
    honesty: spec.honesty,
  };
}

function yamlFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(directory, name));
}

function profileFile(nameOrFile: string): string {
  if (/[/\\]|\.ya?ml$/.test(nameOrFile)) return nameOrFile;
  const file = join(SHIPPED, `${nameOrFile}.yaml`);
  if (existsSync(file)) return file;
  const names = yamlFiles(SHIPPED).map((path) => path.slice(SHIPPED.length, -'.yaml'.length));
  throw new RefusedError([
    {
      file: '--profile',
      message: `unknown profile "${nameOrFile}": expected ${names.join(', ')}, or the path of a file`,
    },
  ]);
}

function queryProblems(file: string, yaml: YamlFile<ProfileFile>): Diagnostic[] {
  const { core, counters, series } = yaml.value.spec;
  const problems: Diagnostic[] = [];
  const complain = (path: PropertyKey[], message: string) =>
    problems.push({ file, line: yaml.lineOf(path), field: fieldName(path), message });
  const check = (path: PropertyKey[], query: string) => {
    const problem = syntaxProblem(query);
    if (problem !== undefined) complain(path, problem);
    return problem === undefined;
  };
  for (const [kind, metrics] of Object.entries(core)) {
    for (const [metric, query] of Object.entries(metrics)) {
      const path = ['spec', 'core', kind, metric];
      if (check(path, query) && !query.includes('$window'))
        complain(path, 'expected $window: the query is evaluated over each phase');
    }
  }
  for (const [name, query] of Object.entries(series)) {
    check(['spec', 'series', name], query);
    if (name in counters)
      complain(['spec', 'series', name], 'is the name of a counter too: expected a name of its own');
  }
  for (const [name, selector] of Object.entries(counters)) {
    const path = ['spec', 'counters', name];
    if (check(path, selector) && !isSelector(selector))
      complain(path, 'expected a plain selector such as name_total{label="value"}: it is kept as scraped');
  }
  return problems;
}

function honestyProblems(file: string, yaml: YamlFile<ProfileFile>): Diagnostic[] {
  const { honesty, counters } = yaml.value.spec;
  const problems: Diagnostic[] = [];
  const seen = new Set<string>();
  honesty.forEach(({ name, counter }, i) => {
    const complain = (field: string, message: string) => {
      const path = ['spec', 'honesty', i, field];
      problems.push({ file, line: yaml.lineOf(path), field: fieldName(path), message });
    };
    if (!(counter in counters))
      complain(
        'counter',
        `"${counter}" is not under counters: expected one of ${Object.keys(counters).join(', ')}`,
      );
    if (seen.has(name)) complain('name', `"${name}" is used twice: expected a name of its own`);
    seen.add(name);
  });
  return problems;
}

/** The same grammar as Prometheus's own editor; what only Prometheus's type check finds is found when it loads. */
function syntaxProblem(query: string): string | undefined {
  if (query.trim() === '') return 'expected a PromQL expression, got nothing';
  const expr = query.replaceAll('$window', '1m');
  let at: number | undefined;
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) at ??= node.from;
    },
  });
  return at === undefined ? undefined : `PromQL syntax error at "${expr.slice(at, at + 20) || 'the end'}"`;
}

function isSelector(query: string): boolean {
  return parser.parse(query).topNode.firstChild?.name === 'VectorSelector';
}
