import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentKey } from '../kind/cache.ts';
import { goCommands } from '../kind/go-build.ts';
import { PINS } from '../kind/pins.ts';
import { BEGAN, kindBudget, minutesGone, missingCommands } from './kind-budget.ts';

describe('kindBudget', () => {
  it.each([
    [{ gone: 26, limit: 60 }, [], true, /in the cache; needs 20 minutes, 34 of 60 are left/],
    [{ gone: 26, limit: 60 }, ['kubernetes'], false, /NOT tried: not in the cache: kubernetes; needs 60/],
    [{ gone: 26, limit: 86 }, ['kubernetes', 'etcd'], true, /kubernetes, etcd/],
    [{ gone: 50, limit: 60 }, [], false, /NOT tried.*10 of 60 are left/],
  ])('%j, missing %j: %s', (minutes, missing, run, because) => {
    expect(kindBudget(minutes, missing)).toEqual({ run, because: expect.stringMatching(because) });
  });

  it('names what is not there, and not what is', () => {
    const cache = mkdtempSync(join(tmpdir(), 'faultline-budget-'));
    try {
      const { inputs } = goCommands('etcd', PINS.etcd);
      mkdirSync(join(cache, contentKey('etcd', inputs)));
      expect(missingCommands(cache)).toEqual(expect.arrayContaining(['kubernetes', 'knative', 'versitygw']));
      expect(missingCommands(cache)).not.toContain('etcd');
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});

describe('minutesGone', () => {
  const now = Date.parse('2026-11-28T12:00:00Z');

  it('counts from where CI began, with its set-up, and not from where its tests began', () => {
    expect(minutesGone({ [BEGAN]: String(now / 1000 - 30 * 60) }, now, 12)).toBe(30);
  });

  it('counts from here where nobody says more, or nothing that can be', () => {
    for (const began of [undefined, '', 'x', String(now / 1000 + 600)])
      expect(minutesGone({ [BEGAN]: began }, now, 12)).toBe(12);
  });

  it('is what .ci/run says', () => {
    const script = readFileSync(join(import.meta.dirname, '../.ci/run'), 'utf8');
    expect(script).toMatch(new RegExp(`^${BEGAN}=.*\\nexport ${BEGAN}\\n[^]*make .*setup-test`, 'm'));
  });
});
