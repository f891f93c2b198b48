import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { burnRateRules } from '../slo/burn-rate.ts';
import { loadObjectives } from '../slo/openslo.ts';
import { parsePrometheusDuration } from '../slo/rules/prometheus-duration.ts';
import { heartbeatRule, loadRules } from '../slo/rules.ts';
import { loadProfile } from '../targets/profile.ts';
import { citedBy, type Facts, filledIn, panelsOf, problemsOf, samplesOf } from './check.ts';
import { exposedBy } from './exposed.ts';
import type { GrafanaDashboard } from './schema.ts';

const PROJECT = join(import.meta.dirname, '..');
const CACHE = join(PROJECT, 'node_modules/.cache/faultline');
const FILES = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'));

const textOf = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8');
const read = (file: string): GrafanaDashboard => JSON.parse(textOf(file));
const queriesOf = (dashboard: GrafanaDashboard) =>
  panelsOf(dashboard).flatMap((panel) => panel.targets.map(({ expr }) => expr));

const profile = loadProfile('reference');
const { objectives } = loadObjectives(profile.objectiveFiles);
const rules = [heartbeatRule, ...loadRules(profile.ruleFiles), ...burnRateRules(objectives)];
let facts: Facts;
beforeAll(async () => {
  facts = { exposed: await exposedBy(rules), objectives, rules };
});

mkdirSync(CACHE, { recursive: true });
// Below node_modules, so that what is written here finds the packages.
const scratch = mkdtempSync(join(CACHE, 'dashboards-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.each(FILES)('%s', (file) => {
  test('asks only for what is exposed, says what it shows, and takes its thresholds from objectives and alerts', () => {
    expect(problemsOf(read(file), facts)).toEqual([]);
  });
});

test('no two dashboards have the same uid or title', () => {
  const dashboards = FILES.map(read);
  for (const name of ['uid', 'title'] as const)
    expect(new Set(dashboards.map((dashboard) => dashboard[name])).size).toBe(FILES.length);
});

test('Prometheus takes every query, with every value that is offered for its variables', async () => {
  const queries = FILES.map(read).flatMap((dashboard) =>
    queriesOf(dashboard).flatMap((expr) => filledIn(expr, samplesOf(dashboard))),
  );
  const file = join(scratch, 'queries.yaml');
  const group = { name: 'queries', rules: queries.map((expr, i) => ({ record: `query:${i}`, expr })) };
  writeFileSync(file, stringify({ groups: [group] }, { lineWidth: 0 }));
  const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', file]);
  expect(stdout).toContain(`SUCCESS: ${queries.length} rules found`);
});

describe("Grafana's schema", () => {
  /** In the first file where the text is. */
  const MISTAKES: Record<string, [from: string, to: string]> = {
    'an option that does not exist': ['"lineWidth"', '"lineWidht"'],
    'a value that an option can not have': ['"displayMode": "list"', '"displayMode": "lists"'],
    'a number that an enum does not have': ['"graphTooltip": 1', '"graphTooltip": 7'],
    'a panel of an unknown type': ['"type": "timeseries"', '"type": "graph"'],
    'a query without its expression': ['"expr"', '"exprs"'],
    'no version of the schema': ['"schemaVersion": 39,', ''],
  };
  let complaints: string[] = [];
  const about = (name: string) => complaints.filter((line) => line.includes(`${name}.ts(`));

  beforeAll(async () => {
    const write = (name: string, text: string) => {
      const type = `import(${JSON.stringify(join(import.meta.dirname, 'schema.ts'))}).GrafanaDashboard`;
      // On the first line, so that the compiler's lines are those of the JSON.
      writeFileSync(join(scratch, `${name}.ts`), `export const dashboard: ${type} = ${text}`);
    };
    for (const file of FILES) write(file, textOf(file));
    Object.values(MISTAKES).forEach(([from, to], i) => {
      const text = FILES.map(textOf).find((one) => one.includes(from)) ?? '';
      write(`mistake-${i}`, text.replace(from, to));
    });
    const config = { extends: join(PROJECT, 'tsconfig.json'), include: ['*.ts'], exclude: [] };
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(PROJECT, 'node_modules/.bin/tsc');
    const all = await promisify(execFile)(tsc, ['--noEmit', '--pretty', 'false', '-p', scratch]).catch(
      (failure: { stdout: string }) => failure,
    );
    complaints = all.stdout.split('\n').filter((line) => line.includes('error'));
  });

  test.each(FILES)('%s has it', (file) => {
    expect(about(file)).toEqual([]);
  });

  test.each(Object.keys(MISTAKES).map((what, i) => [what, i] as const))('refuses %s', (_, i) => {
    expect(about(`mistake-${i}`)).not.toEqual([]);
  });

  test('is all that the compiler complains of', () => {
    expect(complaints.filter((line) => !line.includes('mistake-'))).toEqual([]);
  });
});

describe('the dashboards together', () => {
  test.each(Object.entries(profile.core))("show the profile's four core metrics of %s", (_, metrics) => {
    const queries = queriesOf(read('platform-overview.json'));
    for (const query of Object.values(metrics))
      expect(queries).toContain(query.replaceAll('$window', '$__rate_interval'));
  });

  test.each(objectives.map(({ name }) => [name]))('show objective %s', (name) => {
    expect(FILES.flatMap((file) => panelsOf(read(file)).flatMap(citedBy))).toContain(name);
  });

  test.each(objectives.flatMap((o) => (o.burnRate ? [[o.name, o.burnRate] as const] : [])))(
    'show how fast the budget of %s burns, and what is left',
    (_, { good, total, target }) => {
      const queries = queriesOf(read('slo-and-alerts.json'));
      const budget = Number((1 - target).toPrecision(6));
      const rate = `(${total} - (${good} or vector(0))) / (${total} > 0) / ${budget}`;
      expect(queries).toContain(rate.replaceAll('$window', '$long_window'));
      expect(queries).toContain(rate.replaceAll('$window', '$short_window'));
      expect(queries).toContain(`1 - ${rate.replaceAll('$window', '$__range')}`);
    },
  );

  test.each([...new Map(objectives.flatMap((o) => o.burnRate?.conditions ?? []).map((c) => [c.name, c]))])(
    'offer the windows of %s, also divided by 60',
    (_, { longMs, shortMs }) => {
      const samples = samplesOf(read('slo-and-alerts.json'));
      for (const [variable, ms] of [
        ['long_window', longMs],
        ['short_window', shortMs],
      ] as const) {
        const offered = samples.get(variable)?.map((text) => parsePrometheusDuration(text));
        expect(offered).toContain(ms);
        expect(offered).toContain(ms / 60);
      }
    },
  );
});

describe('a mistake is found', () => {
  type Change = (panel: ReturnType<typeof panelsOf>[number], dashboard: GrafanaDashboard) => void;
  /** @param query replaces the first query of the panel "Wait for a job" */
  const asking =
    (query: string): Change =>
    ({ targets: [target] }) => {
      (target as { expr: string }).expr = query;
    };
  const MISTAKES: [what: string, change: Change, problem: RegExp][] = [
    [
      'a metric that nobody exposes',
      asking('sum(kaniko_jobs_runing)'),
      /nobody exposes metric "kaniko_jobs_runing"/,
    ],
    ['a histogram asked as a gauge', asking('build_duration_seconds'), /nobody exposes metric/],
    ['a metric of another platform', asking('sum(response_latency_ms_bucket)'), /nobody exposes metric/],
    ['a label that a metric lacks', asking('kaniko_jobs_running{pod="x"}'), /has no label "pod"/],
    [
      'a value that a label never has',
      asking('sum(knative_lambda_operator_build_events_total{status="completed"})'),
      /no status="completed": it is one of started, complete, failed/,
    ],
    [
      'one of several values that a label never has',
      asking('sum(knative_lambda_operator_build_events_total{status=~"complete|cancelled"})'),
      /no status="cancelled"/,
    ],
    ['a job that is not scraped', asking('up{job="operator"}'), /no job="operator"/],
    ['an alert that does not exist', asking('ALERTS{alertname="BuilderDown"}'), /no alertname="BuilderDown"/],
    [
      'a grouping by a label that is not there',
      asking('sum by (queue) (kaniko_jobs_running)'),
      /groups by label "queue"/,
    ],
    [
      'a legend with a label that is not there',
      ({ targets: [target] }) => {
        (target as { legendFormat: string }).legendFormat = '{{pod}}';
      },
      /legend has label pod/,
    ],
    ['PromQL that breaks off', asking('sum(kaniko_jobs_running'), /PromQL syntax error/],
    ['a rate without a range', asking('rate(build_failures_total)'), /expects a range/],
    ['an unknown variable', asking('rate(build_failures_total[$window])'), /unknown variable/],
    ['a fixed window', asking('rate(build_failures_total[5m])'), /fixed window/],
    [
      'panels that overlap',
      (panel) => {
        panel.gridPos.x -= 1;
      },
      /overlaps panel/,
    ],
    [
      'a panel beyond the last column',
      (panel) => {
        panel.gridPos.w += 24;
      },
      /not within the 24 columns/,
    ],
    [
      'an id that is used twice',
      (panel, dashboard) => {
        panel.id = dashboard.panels[0]?.id as number;
      },
      /has the id of/,
    ],
    [
      'no title',
      (panel) => {
        panel.title = ' ';
      },
      /has no title/,
    ],
    [
      'no description',
      (panel) => {
        delete panel.description;
      },
      /has no description/,
    ],
    [
      'a unit that Grafana does not know',
      (panel) => {
        panel.fieldConfig.defaults.unit = 'seconds';
      },
      /has unit seconds/,
    ],
    [
      'a datasource of its own',
      (panel) => {
        panel.datasource = { type: 'prometheus', uid: 'mine' };
      },
      /as its datasource/,
    ],
    [
      'a threshold that nobody has set',
      (panel) => {
        panel.fieldConfig.defaults.thresholds = { mode: 'absolute', steps: [{ color: 'red', value: 70 }] };
      },
      /threshold 70 is that of no objective/,
    ],
    [
      'an objective that does not exist',
      (panel) => {
        panel.description = 'Objective `kaniko-job`.';
      },
      /names "kaniko-job", which is no objective/,
    ],
    [
      'a list of values of a metric that nobody exposes',
      (_, dashboard) => {
        const variable = dashboard.templating.list?.find(({ type }) => type === 'query');
        (variable as { query: object }).query = { query: 'label_values(kube_namespaces, namespace)' };
      },
      /nobody exposes label_values\(kube_namespaces, namespace\)/,
    ],
  ];
  test.each(MISTAKES)('%s', (_, change, problem) => {
    const dashboard = read('builds-and-queue.json');
    const panel = panelsOf(dashboard).find(({ title }) => title === 'Wait for a job');
    if (!panel) throw new Error('no such panel');
    change(panel, dashboard);
    expect(problemsOf(dashboard, facts).join('\n')).toMatch(problem);
  });

  test('an objective that was changed, and the dashboards not', () => {
    const changed = objectives.map((o) => (o.name === 'queue-depth' ? { ...o, target: 200 } : o));
    const without = rules.filter(({ name }) => name !== 'RabbitMQQueueBacklog');
    const problems = problemsOf(read('builds-and-queue.json'), {
      ...facts,
      objectives: changed,
      rules: without,
    });
    expect(problems.join('\n')).toMatch(/"Messages ready": threshold 100 is that of no objective/);
  });

  test('an objective that the time scale divides, drawn as it is', () => {
    const dashboard = read('functions-and-scale-to-zero.json');
    for (const target of panelsOf(dashboard).flatMap((panel) => panel.targets))
      target.expr = target.expr.replace(' / $time_scale', '');
    expect(problemsOf(dashboard, facts).join('\n')).toMatch(
      /expected the query vector\(300 \/ \$time_scale\)/,
    );
  });
});

describe('provisioning', () => {
  const provisioned = (file: string) =>
    parse(readFileSync(join(import.meta.dirname, 'provisioning', file), 'utf8')) as unknown;
  /** Source: Grafana's documentation, "Provision Grafana", as far as it is used here. */
  const Datasources = z.strictObject({
    apiVersion: z.literal(1),
    datasources: z.tuple([
      z.strictObject({
        name: z.string(),
        uid: z.string(),
        type: z.literal('prometheus'),
        access: z.literal('proxy'),
        url: z.literal('$FAULTLINE_PROMETHEUS'),
        isDefault: z.boolean(),
        jsonData: z.strictObject({
          timeInterval: z.literal('$FAULTLINE_SCRAPE'),
          httpMethod: z.literal('POST'),
        }),
      }),
    ]),
  });
  const Providers = z.strictObject({
    apiVersion: z.literal(1),
    providers: z.tuple([
      z.strictObject({
        name: z.string(),
        folder: z.string(),
        type: z.literal('file'),
        allowUiUpdates: z.boolean(),
        options: z.strictObject({ path: z.literal('$FAULTLINE_DASHBOARDS') }),
      }),
    ]),
  });

  test('gives Grafana a Prometheus that the dashboards can choose, and these dashboards', () => {
    Datasources.parse(provisioned('datasources/faultline.yaml'));
    Providers.parse(provisioned('dashboards/faultline.yaml'));
  });

  test('takes its settings from variables that the documentation names', () => {
    const documented = readFileSync(join(PROJECT, 'docs/dashboards.md'), 'utf8');
    for (const name of ['FAULTLINE_PROMETHEUS', 'FAULTLINE_SCRAPE', 'FAULTLINE_DASHBOARDS'])
      expect(documented).toContain(name);
  });
});
