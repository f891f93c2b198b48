import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { isBlind, scrapedEveryMs } from '../evidence/detectable.ts';
import { loadRules, plannedRules, renderRules, scaleRules } from './rules.ts';

const SHIPPED = fileURLToPath(new URL('./rules/', import.meta.url));
const files = readdirSync(SHIPPED)
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((name) => join(SHIPPED, name));
const directory = mkdtempSync(join(tmpdir(), 'faultline-rules-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(text: string, name = 'rules.yaml'): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function refused(text: string): Diagnostic[] {
  const file = write(text);
  try {
    loadRules([file]);
  } catch (error) {
    if (error instanceof RefusedError) return error.diagnostics;
    throw error;
  }
  throw new Error('was not refused');
}

const rule = (lines: string) =>
  `groups:\n  - name: g\n    rules:\n      - ${lines.trim().replaceAll('\n', '\n        ')}\n`;

describe('loadRules', () => {
  test('reads every shipped file', () => {
    const rules = loadRules(files);
    expect(rules.map((r) => r.name)).toContain('BuilderServiceDown');
    expect(
      rules.every(
        (r) =>
          r.labels.severity &&
          r.annotations.summary &&
          r.annotations.description &&
          r.annotations.runbook_url,
      ),
    ).toBe(true);
  });

  test.each([
    ['an unknown field', 'alert: A\nexpr: up\nseverity: page', 6, 'unknown field'],
    ['a bad duration', 'alert: A\nexpr: up\nfor: 5 minutes', 6, '"5 minutes" is not a duration'],
    ['a duration without a unit', 'alert: A\nexpr: up\nfor: "5"', 6, '"5" is not a duration'],
    ['a duration that Prometheus refuses', 'alert: A\nexpr: up\nfor: 1.5m', 6, '"1.5m" is not a duration'],
    ['an expression that breaks off', 'alert: A\nexpr: sum(rate(a[5m]) >', 5, 'PromQL syntax error'],
    [
      'an error inside a block',
      'alert: A\nexpr: |\n  sum(up)\n    >\n  0.1 )\n  and up',
      8,
      'PromQL syntax error',
    ],
    ['an unknown unit in a range', 'alert: A\nexpr: rate(a[5x]) > 1', 5, '"5" is not a duration'],
    ['a range without a unit', 'alert: A\nexpr: rate(a[5]) > 1', 5, '"5" is not a duration'],
    [
      'arithmetic in a range, which 2.42 lacks',
      'alert: A\nexpr: rate(a[2*5m]) > 1',
      5,
      'arithmetic on durations',
    ],
    ['a rate without a range', 'alert: A\nexpr: rate(a) > 1', 5, 'rate() expects a range'],
    ['an unknown function', 'alert: A\nexpr: ratio(a) > 1', 5, 'PromQL syntax error'],
    ['an empty expression', 'alert: A\nexpr: ""', 5, 'got nothing'],
    ['neither alert nor record', 'expr: up', 4, 'either alert or record'],
    ['a recording rule with for', 'record: a:b\nexpr: up\nfor: 5m', 4, 'recording rule'],
    ['a bad label name', 'alert: A\nexpr: up\nlabels:\n  a-b: c', 7, 'letters, digits and _'],
  ])('refuses %s with its line', (_, lines, line, message) => {
    const problems = refused(rule(lines));
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.line).toBe(line);
    expect(problems[0]?.field).toBeTruthy();
  });

  test('reports the problems of all files at once', () => {
    const one = write(rule('alert: A\nexpr: sum('), 'one.yaml');
    const two = write(rule('alert: B\nexpr: up\nfor: soon'), 'two.yaml');
    expect(() => loadRules([one, two, join(directory, 'none.yaml')])).toThrow(
      /one\.yaml:5[\s\S]*two\.yaml:6[\s\S]*none\.yaml/,
    );
  });

  test('refuses a name that two files have', () => {
    const one = write(rule('alert: A\nexpr: up'), 'one.yaml');
    const two = write(rule('alert: A\nexpr: up'), 'two.yaml');
    expect(() => loadRules([one, two])).toThrow(/two\.yaml:4: alert: "A" is already at .*one\.yaml:4/);
  });
});

describe('scaleRules', () => {
  const scaled = (expr: string, by = 60) =>
    scaleRules(loadRules([write(rule(`alert: A\nexpr: '${expr}'`))]), by)[0]?.expr;

  test.each([
    ['a range', 'rate(a[5m]) > 5', 'rate(a[5s]) > 5'],
    [
      'a subquery with its step',
      'max_over_time(rate(a[1h])[1d:30m]) > 3',
      'max_over_time(rate(a[1m])[24m:30s]) > 3',
    ],
    ['a subquery without a step', 'max_over_time(a[1h:]) > 3', 'max_over_time(a[1m:]) > 3'],
    ['offsets of both signs', 'a offset 1h > b offset -30m', 'a offset 1m > b offset -30s'],
    ['a compound duration', 'rate(a[1h30m]) > 1', 'rate(a[1m30s]) > 1'],
    [
      'nothing that only looks like a duration',
      'a_5m{le="5m", x=~"[5m]"} > 300',
      'a_5m{le="5m", x=~"[5m]"} > 300',
    ],
    [
      'no threshold and no quantile',
      'histogram_quantile(0.95, sum by (le) (rate(a_bucket[15m]))) > 120',
      'histogram_quantile(0.95, sum by (le) (rate(a_bucket[15s]))) > 120',
    ],
    ['no comment', 'rate(a[5m]) # over [5m]\n > 1', 'rate(a[5s]) # over [5m]\n > 1'],
  ])('divides %s', (_, expr, expected) => {
    const file = write(`groups: [{ name: g, rules: [{ alert: A, expr: ${JSON.stringify(expr)} }] }]`);
    expect(scaleRules(loadRules([file]), 60)[0]?.expr).toBe(expected);
  });

  test('divides for and keep_firing_for', () => {
    const [one] = scaleRules(
      loadRules([write(rule('alert: A\nexpr: up\nfor: 2m\nkeep_firing_for: 1h'))]),
      60,
    );
    expect(one).toMatchObject({ forMs: 2000, keepFiringForMs: 60_000 });
  });

  test('never writes a range of 0s', () => {
    expect(scaled('rate(a[1s]) > 1', 10_000)).toBe('rate(a[1ms]) > 1');
  });

  test('by 1 changes nothing', () => {
    const rules = loadRules(files);
    expect(scaleRules(rules, 1)).toEqual(rules);
  });

  // The group intervals differ too: 15 s as in production, 250 ms in a short run.
  test.each([1, 7, 60, 1000])('every shipped rule divided by %i passes promtool check rules', (timeScale) => {
    const rules = loadRules(files);
    const file = write(
      renderRules(scaleRules(rules, timeScale), 15_000 / timeScale),
      `scaled-${timeScale}.yaml`,
    );
    expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toContain(
      `SUCCESS: ${rules.length} rules found`,
    );
  });
});

describe('renderRules', () => {
  test('gives every group the evaluation interval, and loses nothing', () => {
    const rules = loadRules(files);
    const text = renderRules(rules, 250);
    expect(text.match(/^ {4}interval: 250ms$/gm)).toHaveLength(
      new Set(rules.map((r) => `${r.file} ${r.group}`)).size,
    );
    const again = loadRules([write(text, 'rendered.yaml')]);
    const bare = (list: typeof rules) => list.map(({ file: _f, line: _l, group: _g, ...rest }) => rest);
    expect(bare(again)).toEqual(bare(rules));
  });

  test('keeps two groups of one name apart', () => {
    const text = renderRules(
      loadRules([
        write(rule('alert: A\nexpr: up'), 'one.yaml'),
        write(rule('alert: B\nexpr: up'), 'two.yaml'),
      ]),
      1000,
    );
    expect(text.match(/- name: .*/g)).toEqual(['- name: g', '- name: g (2)']);
  });
});

describe('plannedRules', () => {
  const planned = (expr: string, rest = '') => {
    const [one] = plannedRules(
      loadRules([
        write(`groups: [{ name: g, rules: [{ alert: A, expr: ${JSON.stringify(expr)}${rest} }] }]`),
      ]),
    );
    if (!one) throw new Error('no rule');
    return one;
  };

  test('takes the longest range, with those of subqueries added up', () => {
    expect(planned('rate(a[5m]) > 1 and rate(a[1h]) > 1').rangeMs).toBe(3_600_000);
    expect(planned('max_over_time(rate(a[5m])[1h:1m]) > 1').rangeMs).toBe(3_900_000);
    expect(planned('up == 0').rangeMs).toBe(0);
  });

  test('knows the shortest range, which is the first to be too short', () => {
    expect(planned('rate(a[5m]) > 1 and rate(a[1h]) > 1').shortestRangeMs).toBe(300_000);
    expect(planned('up == 0').shortestRangeMs).toBe(0);
  });

  test('leaves recording rules out', () => {
    expect(plannedRules(loadRules([write(rule('record: a:b\nexpr: up'))]))).toEqual([]);
  });

  test('adds offsets to what it looks back on, and takes off those ahead', () => {
    expect(planned('a > 2 * (a offset 1h)').rangeMs).toBe(3_600_000);
    expect(planned('sum(rate(a[5m] offset 10m)) > 1').rangeMs).toBe(900_000);
    expect(planned('max_over_time(rate(a[5m])[1h:1m] offset 30m) > 1').rangeMs).toBe(5_700_000);
    expect(planned('rate(a[5m] offset -2m) > 1').rangeMs).toBe(180_000);
    expect(planned('a offset -2m > 1').rangeMs).toBe(0);
    // An offset is of what it follows, and of nothing before.
    expect(planned('rate(a[1h]) > 1 and b offset 5m').rangeMs).toBe(3_600_000);
    expect(planned('(rate(a[1h]) and b) offset 5m').rangeMs).toBe(3_900_000);
    expect(planned('a > 2 * (a offset 1h)').shortestRangeMs).toBe(0);
  });

  test('keeps keep_firing_for, of those that have it', () => {
    expect(planned('up == 0', ', keep_firing_for: 5m').keepFiringForMs).toBe(300_000);
    expect(planned('up == 0')).not.toHaveProperty('keepFiringForMs');
  });

  test('knows how much of its range must lie in a fault', () => {
    expect(planned('avg_over_time(ready[10m]) < 0.5').fillMs).toBe(300_000);
    expect(planned('rate(a[5m]) > 1')).not.toHaveProperty('fillMs');
  });
});

describe('plannedRules with recorded series', () => {
  const planned = (...rules: string[]) => {
    const text = `groups: [{ name: g, rules: [${rules.join(', ')}] }]`;
    const [one] = plannedRules(scaleRules(loadRules([write(text)]), 60));
    if (!one) throw new Error('no rule');
    return one;
  };
  const record = (name: string, expr: string) => `{ record: "${name}", expr: ${JSON.stringify(expr)} }`;
  const alert = (expr: string) => `{ alert: A, expr: ${JSON.stringify(expr)} }`;
  const RATE = record('job:err:rate1m', 'sum(rate(err_total[1m])) # by job');

  test('looks back on what they are recorded from', () => {
    const one = planned(RATE, alert('job:err:rate1m > 0.05'));
    expect(one).toMatchObject({ expr: 'job:err:rate1m > 0.05', rangeMs: 1000, shortestRangeMs: 1000 });
    expect(isBlind(one, { scrapeMs: 500, timeScale: 60 })).toBe(true);
  });

  test('adds that to its own range and offset, through any number of them', () => {
    const share = record('job:err:share', 'job:err:rate1m / job:all:rate2m');
    const all = record('job:all:rate2m', 'sum(rate(all_total[2m]))');
    const one = planned(share, RATE, all, alert('max_over_time(job:err:share{job="a"}[10m] offset 1h) > 1'));
    expect(one).toMatchObject({ rangeMs: 72_000, shortestRangeMs: 1000 });
  });

  test('takes all that are recorded under one name', () => {
    const twice = [record('a:b', 'rate(a[10m])'), record('a:b', 'rate(b[3m])')];
    expect(planned(...twice, alert('a:b > 1'))).toMatchObject({ rangeMs: 10_000, shortestRangeMs: 3000 });
  });

  test('ends where one is recorded from itself', () => {
    const circle = [record('a:b', 'rate(x[1m]) + b:a'), record('b:a', 'a:b[5m:] or a:b offset 2m')];
    expect(planned(...circle, alert('b:a > 1')).rangeMs).toBe(6000);
  });

  test('knows their metrics and what they need of a fault', () => {
    const restarts = record(
      'pod:restarts:increase',
      'increase(kube_pod_container_status_restarts_total[2m])',
    );
    const one = planned(restarts, alert('pod:restarts:increase > 0'));
    expect(scrapedEveryMs(one, { scrapeMs: 500, timeScale: 60 })).toBe(5000);
    expect(isBlind(one, { scrapeMs: 500, timeScale: 60 })).toBe(true);
    const ready = [record('x:ready', 'ready{x="y"}'), record('x:ready:avg', 'avg_over_time(x:ready[10m])')];
    expect(planned(...ready, alert('x:ready:avg < 0.5')).fillMs).toBe(5000);
  });

  test('says nothing of them where it reads none', () => {
    expect(planned(RATE, alert('up == 0'))).not.toHaveProperty('writtenOut');
  });
});
