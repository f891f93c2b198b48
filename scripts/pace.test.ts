import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shippedScenarios } from '../engine/catalog.ts';
import { planFor } from '../engine/testing.ts';
import { choose, optionsOf, PACES, runsOf, worstOf } from './pace.ts';

describe('what make e2e runs', () => {
  it('is without a word what two cores can do in time, and it is said what is left out', () => {
    const { chosen, leftOut, unknown } = choose('');
    expect([...chosen, ...leftOut].sort()).toEqual([...PACES.keys()].sort());
    expect(chosen).toContain('dr-node-lost');
    expect(leftOut).toContain('cold-start-storm');
    expect(unknown).toEqual([]);
  });

  it('is all of it, or what is named, in the order of the table', () => {
    expect(choose('all').chosen).toEqual([...PACES.keys()]);
    expect(choose(' split-brain\nkaniko-killed ').chosen).toEqual(['kaniko-killed', 'split-brain']);
    expect(choose('kaniko-killd split-brain').unknown).toEqual(['kaniko-killd']);
  });

  it('has a pace for every scenario, and for none that there is not', () => {
    const files = (pattern: string) =>
      globSync(pattern, { cwd: join(import.meta.dirname, '..') }).map((file) => basename(file, '.yaml'));
    const shipped = [...files('scenarios/*.yaml'), ...files('scenarios/cluster/*.yaml')];
    expect(shipped.length).toBeGreaterThan(12);
    expect([...PACES.keys()].sort()).toEqual(shipped.sort());
  });

  // One refusal refuses all scenarios of its command.
  it.each([...PACES])('can plan %s at its pace', (name, { timeScale, loadScale }) => {
    const file = shippedScenarios().get(name) ?? shippedScenarios('cluster').get(name) ?? '';
    const factors = loadScale
      .map((option) => option.split('='))
      .map(([a, b]) => (b ? [a, +b] : ['*', Number(a)]));
    const plan = planFor(file, { timeScale, loadScale: Object.fromEntries(factors) });
    expect(plan.scenario.name).toBe(name);
  });

  it('runs each of them once', () => {
    const { chosen } = choose('all');
    const named = runsOf(chosen).map((args) => args.slice(0, args.indexOf('--target')));
    expect(named.flat().sort()).toEqual(chosen.sort());
    expect(runsOf([])).toEqual([]);
  });

  it('ends as its worst run did', () => {
    // Exit code 1 is a failure, 2 is unknown: the higher number is the lesser evil.
    expect(worstOf([0, 2, 1, 0])).toBe(1);
    expect(worstOf([1, 3, 2])).toBe(3);
    expect(worstOf([0, 130])).toBe(130);
    expect(worstOf([0, 137, 1])).toBe(137);
    expect(worstOf([0, 0])).toBe(0);
    // Nothing was run: that is no pass.
    expect(worstOf([])).toBe(3);
  });

  it('is told to faultline run', () => {
    const pace = PACES.get('kaniko-killed');
    expect(pace && optionsOf(pace)).toEqual(['--target', 'kind', '--time-scale', '10']);
  });
});
