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
const Component = z.enum(['receiver', 'builder', 'gateway', 'operator', 'rabbitmq', 'registry']);
const Endpoint = z.strictObject({
  component: Component,
  path: z.string().startsWith('/', 'expected a path that begins with /'),
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
    /** Where commands, asynchronous invocations (CloudEvents) and invocations over HTTP go in. */
    endpoints: z.strictObject({ commands: Endpoint, events: Endpoint, invocations: Endpoint }),
    components: z.strictObject({
      receiver: z.strictObject({ job: z.string().optional() }),
      builder: z.strictObject({ job: z.string().optional() }),
      gateway: z.strictObject({ job: z.string().optional() }),
      operator: z.strictObject({ job: z.string().optional() }),
      rabbitmq: z.strictObject({ job: z.string().optional() }),
      registry: z.strictObject({ job: z.string().optional() }),
    }),
    /** Prometheus rule files, relative to the profile. */
    rules: z.array(z.string().min(1)).min(1),
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
      }),
    ),
  }),
});
type ProfileFile = z.infer<typeof ProfileFile>;
type ComponentName = z.infer<typeof Component>;

export interface Profile {
  name: string;
  title: string;
  file: string;
  sha256: string;
  endpoints: ProfileFile['spec']['endpoints'];
  components: Record<ComponentName, { job?: string }>;
  /** Absolute paths, in the order of the profile. */
  ruleFiles: string[];
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
    endpoints: spec.endpoints,
    components: spec.components,
    ruleFiles,
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
