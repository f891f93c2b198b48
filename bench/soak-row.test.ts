import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeKey, isPassed, passedInARow, recordedRounds, recordRound, type SoakRound } from './soak-row.ts';

let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'faultline-soak-row-'));
});
afterEach(() => rmSync(project, { recursive: true }));

/** Of no settings but these: a user's may want a signature, or name another repository. */
const ALONE = {
  PATH: process.env.PATH,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  ...{ GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' },
};
const git = (...args: string[]) => execFileSync('git', ['-C', project, ...args], { env: ALONE });
const write = (file: string, text: string) => {
  mkdirSync(dirname(join(project, file)), { recursive: true });
  writeFileSync(join(project, file), text);
};
const commit = (file: string, text: string) => {
  write(file, text);
  git('add', '-A');
  git('commit', '-qm', 'a');
};

// A machine without git runs Faultline, and counts no rows.
describe.skipIf(spawnSync('git', ['--version']).status !== 0)('what a row is counted by', () => {
  beforeEach(() => {
    git('init', '-q');
    commit('engine/run.ts', 'one');
  });

  it('stays when documents, tests and benchmarks change', () => {
    const before = codeKey(project);
    for (const file of [
      'README.md',
      'docs/kind.md',
      'engine/run.test.ts',
      'test/kill.test.ts',
      'bench/soak.ts',
    ])
      commit(file, 'other');
    expect(codeKey(project)).toBe(before);
    expect(before).toMatch(/^[0-9a-f]{12}$/);
  });

  it('is another one when something that runs changes, and none while that is in no commit', () => {
    const before = codeKey(project);
    write('engine/run.ts', 'two');
    expect(codeKey(project)).toBeUndefined();
    git('commit', '-qam', 'b');
    expect(codeKey(project)).not.toBe(before);
    write('engine/new.ts', 'in no commit');
    expect(codeKey(project)).toBeUndefined();
  });

  it('is none when something that runs was renamed from a document', () => {
    commit('docs/plan.md', 'enough text to be known again');
    git('mv', 'docs/plan.md', 'engine/plan.ts');
    expect(codeKey(project)).toBeUndefined();
  });

  it('is none where there is no repository', () => {
    rmSync(join(project, '.git'), { recursive: true });
    expect(codeKey(project)).toBeUndefined();
  });
});

describe('a round', () => {
  it('passes when all that was to run has passed, and not when some of it left no verdict', () => {
    expect(isPassed([0, 0], ['pass', 'pass', 'pass'], 3)).toBe(true);
    expect(isPassed([0, 0], ['pass', 'pass'], 3)).toBe(false);
    expect(isPassed([], [], 3)).toBe(false);
    expect(isPassed([0, 2], ['pass', 'pass', 'pass'], 3)).toBe(false);
    expect(isPassed([0, 0], ['pass', 'unknown', 'pass'], 3)).toBe(false);
  });
});

describe('a row', () => {
  const round = (code: string, passed: boolean, target = 'kind'): SoakRound => ({
    ...{ code, passed, target, began: '2026-11-28T02:00:00Z', seconds: 2400, scenarios: 7 },
  });

  it('is of one code and one target, and begins anew after a round that did not pass', () => {
    const file = join(project, 'state/soak.ndjson');
    expect(passedInARow(recordedRounds(file), 'a', 'kind')).toBe(0);
    const rounds = [
      round('a', true),
      round('a', false),
      round('a', true),
      round('b', false),
      round('a', true),
      round('a', false, 'local'),
    ];
    for (const one of rounds) recordRound(file, one);
    expect(recordedRounds(file)).toEqual(rounds);
    expect(passedInARow(recordedRounds(file), 'a', 'kind')).toBe(2);
    expect(passedInARow(recordedRounds(file), 'b', 'kind')).toBe(0);
    expect(passedInARow(recordedRounds(file), 'a', 'local')).toBe(0);
  });

  it('with a line that is no round is refused', () => {
    const file = join(project, 'soak.ndjson');
    writeFileSync(file, '{"code":"a"');
    expect(() => recordedRounds(file)).toThrow();
  });
});
